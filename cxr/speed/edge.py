"""Does it answer on a small computer? One contender after the other inside 1 core and 512 MB.

Where no control group can be made, the address space and the cores are bound instead, which is not
the same: libraries are mapped in full, so a process is refused memory that it would never have used.
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cxr.speed import cgroup, report
from cxr.speed.turns import Contender, Failed, process

CORES = 1
MEMORY_BYTES = 512 * 2**20
RUNS = 20
"""Timed runs of each contender."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How the processes are bound here."""

    words: str
    enter: Callable[[], None]
    """called in the new process"""
    box: cgroup.Box | None


@contextlib.contextmanager
def bounds() -> Iterator[Bounds]:
    """Make bounds for one process: a control group, or what comes next to it and says so."""
    with contextlib.ExitStack() as stack:
        try:
            box = stack.enter_context(cgroup.box(cores=CORES, memory_bytes=MEMORY_BYTES))
        except cgroup.Unavailable as error:
            yield Bounds(
                words=f"NO CONTROL GROUP ({error}): one core by affinity, and the address space, not "
                "the memory, bound to 512 MB",
                enter=_bind_alone, box=None,
            )  # fmt: skip
            return
        yield Bounds(
            words=f"control group (v{box.version}) of {CORES} core and 512 MB, swap included",
            enter=box.enter, box=box,
        )  # fmt: skip


def _bind_alone() -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def try_all(
    contenders: Sequence[Contender], images: Path, library: Path, *, expected: Mapping[str, Any]
) -> dict[str, Any]:
    """Return how the processes were bound, and a row for each contender in its own fresh bounds.

    `expected`: by model the probabilities that it gives without bounds, one row per image.
    """
    rows, words = [], ""
    for contender in contenders:
        with bounds() as found:
            words = found.words
            row = _try(contender, images, library, found)
        if row["answers"]:
            wanted = expected[contender.model][: contender.batch]
            row["difference"] = report.difference(row.pop("output"), wanted)
        rows.append(row)
    return {"bounds": words, "cores": CORES, "memory_bytes": MEMORY_BYTES, "rows": rows}


def _try(contender: Contender, images: Path, library: Path, found: Bounds) -> dict[str, Any]:
    """Load, score and time one contender within the bounds; say why if it does not come through."""
    row = report.described(contender)
    try:
        with process(contender, images, library, found.enter) as started:
            milliseconds = [1e3 * x for x in started.turn(RUNS)["seconds"]]
            row |= {
                "answers": True,
                "quartiles_ms": np.quantile(milliseconds, [0.25, 0.5, 0.75]).tolist(),
                **{key: started.ready[key] for key in ("load_ms", "first_ms", "output")},
                "peak_bytes": started.end(),
            }
    except Failed as error:
        full = found.box is not None and found.box.killed() > 0
        row |= {"answers": False, "why": "out of memory" if full else str(error)}
    if found.box is not None:
        row["charged_bytes"] = found.box.peak_bytes()
    return row
