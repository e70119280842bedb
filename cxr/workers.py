"""Work in several one-thread processes, results in the order of the inputs, progress told.

The number of processes comes from the machine (CXR_WORKERS, else the cores this process may use)
and never changes a byte: every item is worked alone, from its own inputs and its own streams.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from cxr import numerics, progress

Item = TypeVar("Item")
Result = TypeVar("Result")


def count() -> int:
    """Return how many processes to use; raise ValueError if CXR_WORKERS is not a whole number above 0."""
    wanted = os.environ.get("CXR_WORKERS")
    if wanted is None:
        import joblib

        return joblib.cpu_count()  # heeds the cores bound to this process and a container's share
    if not wanted.isdigit() or int(wanted) == 0:
        raise ValueError(f"CXR_WORKERS must be a whole number above 0, not {wanted!r}")
    return int(wanted)


def run(
    function: Callable[[Item], Result], items: Sequence[Item], *, words: str, chunk: int = 1
) -> list[Result]:
    """Return `[function(item) for item in items]`, worked side by side.

    `function` must be importable (a worker loads it by name) and pure; `chunk` items travel at once.
    """
    processes = min(count(), -(-len(items) // chunk)) if items else 1
    if processes == 1:
        return list(progress.track(map(function, items), total=len(items), words=words))
    import joblib

    # loky renews a worker whose memory grew by 300 MB, as images do, and warns of a leak: no work is
    # lost. Its own thread warns, so the filter is one of the whole process.
    warnings.filterwarnings(
        "ignore", "A worker stopped while some jobs were given to the executor", UserWarning
    )
    parallel = joblib.Parallel(n_jobs=processes, batch_size=chunk, return_as="generator")
    results: Iterable[Result] = parallel(joblib.delayed(_exact)(function, item) for item in items)
    return list(progress.track(results, total=len(items), words=words))


def _exact(function: Callable[[Item], Result], item: Item) -> Result:
    """Refuse to work in a process that did not inherit the pins."""
    numerics.enter()
    return function(item)
