"""Who of parents and children lives on: whole fronts first, then those that add most to the next.

What a point adds is its crowding distance (Deb et al. 2002, section III-C, see `sorting`), or, where
a reference is given, the area that it alone covers (Beume et al. 2007, see `hypervolume`). The first
keeps the ends of a front, however bad they are in the other objective; the second does not: a network
that costs nearly nothing and knows nearly nothing covers nearly no area. But neither does a network
that is a little better than all others, and that one is wanted too: with a reference half of the
places go to the best of the first objective.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cxr.evolution import sorting
from cxr.evolution.hypervolume import contributions
from cxr.evolution.selection import Orders

Reference = tuple[float, float]
"""Of two objectives the values from which on a point is worth nothing."""


def orders(objectives_NM: np.ndarray, reference: Reference | None = None) -> Orders:
    """Return who is better: by front and what a point adds to it; with a reference also by the first objective."""
    if reference is None:
        ranks_N, added_N = sorting.standing(objectives_NM)
    else:
        ranks_N, added_N = sorting.standing(
            objectives_NM, lambda front_N2: contributions(front_N2, reference)
        )
    by_front = list(zip(ranks_N.tolist(), (-added_N).tolist(), strict=True))
    return [by_front] if reference is None else [by_front, list(map(tuple, objectives_NM.tolist()))]


def survivors(
    objectives_NM: np.ndarray, size: int, reference: Reference | None = None
) -> np.ndarray:
    """Return the ascending indices of at most `size` points that live on.

    Without a reference: of the front that does not fit the least crowded, as they stand. With one:
    half of them, rounded up, are the best of the first objective; the others come by fronts, and of the
    front that does not fit those go that add least, one by one, as the others cover more each time.
    Among equals the earlier live: no chance enters.
    """
    if reference is None:
        (order,) = orders(objectives_NM)
        return np.array(sorted(_first(order, size)), dtype=np.int64)
    best = _first(objectives_NM.tolist(), -(-size // 2))
    rest = np.setdiff1d(np.arange(len(objectives_NM)), best)
    kept = [*best]
    for front in sorting.fronts(objectives_NM[rest]):
        kept += _thinned(rest[front].tolist(), size - len(kept), objectives_NM, reference)
    return np.array(sorted(kept), dtype=np.int64)


def _first(keys: Sequence[Sequence[float]], size: int) -> list[int]:
    return sorted(range(len(keys)), key=lambda place: tuple(keys[place]))[
        :size
    ]  # stable: then the earlier


def _thinned(
    front: list[int], places: int, objectives_N2: np.ndarray, reference: Reference
) -> list[int]:
    """Return what is left of a front when those that add least, the latest first, have gone."""
    while len(front) > places:
        added = contributions(objectives_N2[front], reference)
        del front[int(np.flatnonzero(added == added.min())[-1])]
    return front
