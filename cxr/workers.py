"""Work in several one-thread processes, results in the order of the inputs, progress told.

The number of processes comes from the machine (CXR_WORKERS, else the cores this process may use),
or from a cluster whose address CXR_CLUSTER holds (see `cxr.cluster`). Neither ever changes a byte:
every item is worked alone, from its own inputs and its own streams. So a worker that is lost, killed
or out of memory, costs its work in progress only: that is done again, and gives the same.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from cxr import numerics, progress

Item = TypeVar("Item")
Result = TypeVar("Result")

LOSSES = 3
"""So many lost workers in a row, with nothing finished in between, end the work."""
_LOOK_S = 1.0


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
    Raises ValueError if workers are lost again and again.
    """
    found = dict(arrivals(function, items, words=words, chunk=chunk))
    return [found[number] for number in range(len(items))]


def arrivals(
    function: Callable[[Item], Result], items: Sequence[Item], *, words: str, chunk: int = 1
) -> Generator[tuple[int, Result]]:
    """Yield (place of the item, its result) as each is finished; the rest as in `run`.

    Closing the generator stops the work that is still in progress.
    """
    with contextlib.closing(_found(function, items, words=words, chunk=chunk)) as found:
        yield from progress.track(found, total=len(items), words=words)


def _found(
    function: Callable[[Item], Result], items: Sequence[Item], *, words: str, chunk: int
) -> Generator[tuple[int, Result]]:
    address = os.environ.get("CXR_CLUSTER")
    if address and items:
        from cxr import cluster

        yield from cluster.arrivals(function, items, address=address, words=words, chunk=chunk)
    elif not items or (processes := min(count(), -(-len(items) // chunk))) == 1:
        yield from enumerate(map(function, items))
    else:
        yield from _side_by_side(function, items, processes, words=words, chunk=chunk)


def _side_by_side(
    function: Callable[[Item], Result], items: Sequence[Item], processes: int, *, words: str, chunk: int
) -> Generator[tuple[int, Result]]:  # fmt: skip
    """Work in processes of this machine; what a lost one left undone is worked in new ones."""
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    missing, losses = dict(enumerate(items)), 0
    while missing:
        try:
            for number, result in _attempt(function, list(missing.items()), processes, chunk):
                yield number, result
                del missing[number]
                losses = 0
        except TerminatedWorkerError:
            losses += 1
            if losses == LOSSES:
                raise ValueError(
                    f"{words}: {losses} times in a row a worker was killed before anything was "
                    f"finished, {len(missing)} of {len(items)} are missing: too little memory? Lower "
                    f"CXR_WORKERS (now {processes} processes) and start again; `dmesg` names what "
                    "the kernel killed"
                ) from None
            progress.say(
                f"{words}: a worker was killed (out of memory?); what it left undone is worked again"
            )


def _attempt(
    function: Callable[[Item], Result], missing: list[tuple[int, Item]], processes: int, chunk: int
) -> Generator[tuple[int, Result]]:
    import joblib

    # loky renews a worker whose memory grew by 300 MB, as images do, and warns of a leak: no work is
    # lost. Its own thread warns, so the filter is one of the whole process. And joblib warns of work
    # that is given up when somebody stops listening, as one does who met an error.
    for words in ("A worker stopped while some jobs", ".*tasks (which|have been) .*"):
        warnings.filterwarnings("ignore", words, UserWarning)
    parallel = joblib.Parallel(
        n_jobs=processes, batch_size=chunk, return_as="generator_unordered",
        initializer=_end_with, initargs=(os.getpid(),),
    )  # fmt: skip
    yield from parallel(joblib.delayed(_exact)(function, *one) for one in missing)


def _exact(function: Callable[[Item], Result], number: int, item: Item) -> tuple[int, Result]:
    """Refuse to work in a process that did not inherit the pins."""
    numerics.enter()
    return number, function(item)


def _end_with(starter: int) -> None:
    """Let this worker end when the process that started it has: killed, that tells no worker.

    It would finish its item first, half an hour of a core perhaps, for nobody, beside the next run; or
    wait for ever for a first one, and hold open the pipe that somebody reads the stage's words from.
    """

    def watch() -> None:
        while os.getppid() == starter:
            threading.Event().wait(_LOOK_S)
        os._exit(1)

    threading.Thread(target=watch, name="end with starter", daemon=True).start()


@contextlib.contextmanager
def beside(function: Callable[[Item], Result], item: Item) -> Iterator[Callable[[], Result]]:
    """Work `function(item)` in another process meanwhile; yield what waits for the result.

    As in `run`, `function` must be importable and pure. With one process it is worked when asked for.
    """
    if count() == 1:
        yield functools.partial(function, item)
        return
    # spawned: a fork would share this process's threads and locks
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=_end_with, initargs=(os.getpid(),)) as other:
        waiting = other.submit(_exact, function, 0, item)
        yield lambda: waiting.result()[1]
