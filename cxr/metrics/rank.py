"""Do two rankings agree? Kendall's tau-b, with an interval from drawing the ranked things anew.

tau-b is the share of pairs that both rankings put in the same order minus the share that they put in
opposite orders; pairs tied in one ranking count half in the base, pairs tied in both not at all
(Kendall 1945, "The treatment of ties in ranking problems"). 1: same order, 0: no relation, -1:
reversed. The interval is a percentile bootstrap over the N things (Efron & Tibshirani 1993, chapter
13); a thing that is drawn twice makes pairs with itself, which are tied in both and drop out. With
few things the interval is rough: below ten it says little more than that they are few.

Counts of pairs are whole numbers, exact in float64, so nothing here depends on the order of sums.
Shapes: N things, B resamples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cxr.metrics import intervals

CONFIDENCE = 0.95
"""Of the interval."""
RESAMPLES = 1000
"""Of the bootstrap."""


@dataclass(frozen=True, kw_only=True)
class Tau:
    """How well two rankings agree; None where it is undefined."""

    value: float | None
    """None: fewer than two things, or all equal in one of the rankings"""
    low: float | None
    """None with `value`"""
    high: float | None
    """None with `value`"""
    count: int
    """how many things were ranked"""


def tau(
    x_N: ArrayLike, y_N: ArrayLike, *, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Tau:
    """Return Kendall's tau-b of two scores of the same N things, with its 95 % interval.

    Infinite scores rank as the best or the worst. Raises ValueError for scores of different length,
    for NaN, and for less than one resample.
    """
    x_N, y_N = np.asarray(x_N, dtype=np.float64), np.asarray(y_N, dtype=np.float64)
    if x_N.ndim != 1 or x_N.shape != y_N.shape:
        raise ValueError(f"expected two scores per thing, not shapes {x_N.shape} and {y_N.shape}")
    if np.isnan(x_N).any() or np.isnan(y_N).any():
        raise ValueError("a score is NaN: leave things without a score out of both rankings")
    if resamples < 1:
        raise ValueError(f"expected at least 1 resample, not {resamples}")
    agreement = _Agreement(x_N, y_N)
    value = agreement(np.ones((1, len(x_N))))[0, 0]
    if np.isnan(value):
        return Tau(value=None, low=None, high=None, count=len(x_N))
    values_B1 = intervals.bootstrap(agreement, np.arange(len(x_N)), samples=resamples, rng=rng)
    interval = intervals.percentile(values_B1[:, 0], confidence=CONFIDENCE)
    if np.isnan(interval.low):  # a handful of things, of which no resample drew two that differ
        return Tau(value=float(value), low=-1.0, high=1.0, count=len(x_N))
    return Tau(value=float(value), low=interval.low, high=interval.high, count=len(x_N))


class _Agreement:
    """tau-b as a function of how often each thing counts: weights (B, N) → (B, 1), NaN if undefined."""

    def __init__(self, x_N: np.ndarray, y_N: np.ndarray) -> None:
        x_NN, y_NN = (_order(scores_N) for scores_N in (x_N, y_N))
        self._pairs = [x_NN * y_NN, np.abs(x_NN), np.abs(y_NN)]

    def __call__(self, weights_BN: np.ndarray) -> np.ndarray:
        same, of_x, of_y = (((weights_BN @ p) * weights_BN).sum(axis=1) for p in self._pairs)
        base = np.sqrt(of_x * of_y)  # one root: of a square it is exact, so that 1 is 1
        with np.errstate(invalid="ignore"):
            return (same / base)[:, None]


def _order(scores_N: np.ndarray) -> np.ndarray:
    """Return (N, N): 1 where the row's thing scores higher than the column's, -1 lower, 0 equal."""
    above_NN = (scores_N[:, None] > scores_N[None, :]).astype(np.float64)
    return above_NN - above_NN.T
