"""Who dominates whom, and who stands alone: non-dominated sorting and the crowding distance.

Source: Deb, Pratap, Agarwal & Meyarivan (2002), "A fast and elitist multiobjective genetic
algorithm: NSGA-II", IEEE Transactions on Evolutionary Computation 6(2):182-197, sections III-A and
III-B. One point *dominates* another if it is nowhere worse and somewhere better; equal points do
not dominate each other. All objectives are minimised.

Shapes: N points, M objectives.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def fronts(objectives_NM: np.ndarray) -> list[np.ndarray]:
    """Cut the points into fronts, best first; each front as ascending indices.

    A point's front is the number of points in the longest chain of domination above it.
    """
    dominates_NN = _dominates(objectives_NM)
    dominators_N = dominates_NN.sum(axis=0)
    found = []
    left_N = np.ones(len(objectives_NM), dtype=bool)
    while left_N.any():
        members = np.flatnonzero(left_N & (dominators_N == 0))
        found.append(members)
        left_N[members] = False
        dominators_N = dominators_N - dominates_NN[members].sum(axis=0)
    return found


def front(objectives_NM: np.ndarray) -> np.ndarray:
    """Return the ascending indices of the points that no other dominates."""
    return np.flatnonzero(~_dominates(objectives_NM).any(axis=0))


def _dominates(objectives_NM: np.ndarray) -> np.ndarray:
    """Return (N, N): whether point i (row) dominates point j (column)."""
    one, other = objectives_NM[:, None, :], objectives_NM[None, :, :]
    return np.logical_and((one <= other).all(axis=2), (one < other).any(axis=2))


def crowding(objectives_NM: np.ndarray) -> np.ndarray:
    """Return (N,): how far each point's neighbours lie apart, summed over objectives; ends are infinite.

    To be called with the points of one front. Each objective is divided by its range here. An
    objective in which all are equal says nothing and adds nothing: the paper would make the two
    that happen to come first and last infinite.
    """
    points = len(objectives_NM)
    if points <= 2:
        return np.full(points, np.inf)
    distances_N = np.zeros(points)
    for values_N in objectives_NM.T:
        order = np.argsort(values_N, kind="stable")
        sorted_N = values_N[order]
        extent = sorted_N[-1] - sorted_N[0]
        if extent > 0:
            distances_N[order[[0, -1]]] = np.inf
            distances_N[order[1:-1]] += (sorted_N[2:] - sorted_N[:-2]) / extent
    return distances_N


def standing(
    objectives_NM: np.ndarray, added: Callable[[np.ndarray], np.ndarray] = crowding
) -> tuple[np.ndarray, np.ndarray]:
    """Return each point's rank (N,), 0 for the first front, and what `added` says of it there (N,)."""
    ranks_N = np.zeros(len(objectives_NM), dtype=np.int64)
    added_N = np.zeros(len(objectives_NM))
    for rank, members in enumerate(fronts(objectives_NM)):
        ranks_N[members] = rank
        added_N[members] = added(objectives_NM[members])
    return ranks_N, added_N
