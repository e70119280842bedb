"""The machine that measures, and how much of it others used meanwhile: what a time is worth.

Source: proc_stat(5).
"""

from __future__ import annotations

import os
import platform
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxr import doctor

QUIET_CORES = 0.1
"""Others that use more than this much of a core make times that mean little."""
_COLUMNS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_BUSY = ("user", "nice", "system", "irq", "softirq")


def about() -> dict[str, Any]:
    """Return processor, cores, memory and system."""
    return {
        "processor": doctor.processor(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "system": f"{platform.system()} {platform.release()}",
    }


@dataclass(frozen=True)
class Moment:
    """What the processors have done since the machine was started, and what of it was ours."""

    seconds: dict[str, float]
    """by column of /proc/stat, summed over the processors"""
    ours: float
    """of this process and of those of its children that have ended"""


def moment() -> Moment:
    """Return the counters as they stand."""
    line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    ticks = os.sysconf("SC_CLK_TCK")
    counted = [int(word) / ticks for word in line.split()[1 : 1 + len(_COLUMNS)]]
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return Moment(
        dict(zip(_COLUMNS, counted, strict=True)), sum(one.ru_utime + one.ru_stime for one in used)
    )


def between(before: Moment, after: Moment) -> dict[str, float]:
    """Return, on average over the time between, the cores that others used and that were withheld.

    `others_cores`: by other programs of this machine; `stolen_cores`: by other machines on the same
    hardware, where this one is virtual and told so.
    """
    spent = {name: after.seconds[name] - before.seconds[name] for name in _COLUMNS}
    wall = max(sum(spent.values()) / (os.cpu_count() or 1), 1e-9)
    busy = sum(spent[name] for name in _BUSY) - (after.ours - before.ours)
    return {"others_cores": max(busy, 0.0) / wall, "stolen_cores": spent["steal"] / wall}
