"""How much of the objective space a set of points dominates: one number for a whole front.

Sources: Zitzler & Thiele (1998), "Multiobjective optimization using evolutionary algorithms - a
comparative case study", PPSN V:292-301 ("size of the space covered"); contributions: Beume, Naujoks
& Emmerich (2007), "SMS-EMOA: multiobjective selection based on dominated hypervolume", European
Journal of Operational Research 181(3):1653-1669, section 2.4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from cxr.evolution import sorting

CHANCE = 0.5
"""Score from which downwards a network is worth nothing, whatever it costs."""


def hypervolume(objectives_N2: np.ndarray, reference: tuple[float, float]) -> float:
    """Return the area between the first front of two objectives and `reference`.

    Points that are not better than the reference in both objectives add nothing.
    """
    inside = objectives_N2[(objectives_N2 < np.asarray(reference)).all(axis=1)]
    area, ceiling = 0.0, reference[1]
    best = inside[sorting.front(inside)]
    for x, y in best[np.argsort(best[:, 0], kind="stable")]:  # y falls from one to the next
        area += (reference[0] - float(x)) * (ceiling - float(y))
        ceiling = float(y)
    return area


def contributions(front_N2: np.ndarray, reference: tuple[float, float]) -> np.ndarray:
    """Return (N,): the area that each point of one front alone covers, up to `reference`.

    Of equal points each covers nothing alone, and so does a point that is not better than the
    reference in both objectives.
    """
    alone_N = np.zeros(len(front_N2))
    inside = np.flatnonzero((front_N2 < np.asarray(reference)).all(axis=1))
    order = inside[np.argsort(front_N2[inside, 0], kind="stable")]
    x, y = front_N2[order].T  # x rises and y falls from one to the next
    alone_N[order] = np.diff(x, append=reference[0]) * -np.diff(y, prepend=reference[1])
    return alone_N


def covered(auroc_N: ArrayLike, macs_N: ArrayLike, *, max_macs: float) -> float:
    """Return the share of scores from CHANCE to 1 by MACs 0 to `max_macs` that networks dominate."""
    macs_share_N = np.asarray(macs_N, np.float64) / max_macs
    points_N2 = np.stack([1 - np.asarray(auroc_N, np.float64), macs_share_N], axis=1)
    return hypervolume(points_N2, (1 - CHANCE, 1.0)) / (1 - CHANCE)
