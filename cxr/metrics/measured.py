"""One model's quantities on its test images and in every resample of their patients.

All quantities meet the same resamples, those of subgroups too, so that their differences are paired.
Shapes: see `cxr.metrics`, `cxr.metrics.subgroups`; V quantities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cxr.metrics import intervals
from cxr.metrics.quantities import Quantities, Quantity
from cxr.metrics.scored import Scored
from cxr.metrics.subgroups import METRICS, Group, Subgroups

DECIMALS = 6  # the predictions beside the results hold every bit


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured, with its spread."""

    scored: Scored
    names: tuple[str, ...]
    """of the labels"""
    points: Mapping[str, np.ndarray]
    """thresholds (folds, L) by rule, chosen on val; NaN where none could be"""
    quantities: list[Quantity]
    point_V: np.ndarray
    spread_BV: np.ndarray
    groups: list[Group]
    group_GML: np.ndarray
    group_BGML: np.ndarray
    confidence: float

    def found(self, quantity: Quantity) -> dict[str, float | None]:
        """Return a quantity's value, low and high."""
        place = self.quantities.index(quantity)
        return self.interval(self.point_V[place], self.spread_BV[:, place])

    def left_out(self, quantity: Quantity) -> int:
        """Count the resamples in which a quantity is undefined."""
        return int(np.isnan(self.spread_BV[:, self.quantities.index(quantity)]).sum())

    def interval(self, value: float, spread_B: np.ndarray) -> dict[str, float | None]:
        """Return value, low and high as plain numbers."""
        interval = intervals.percentile(spread_B, confidence=self.confidence)
        return {
            "value": number(value),
            "low": number(interval.low),
            "high": number(interval.high),
        }


def measure(
    scored: Scored,
    names: Sequence[str],
    *,
    samples: int,
    confidence: float,
    rng: np.random.Generator,
    points: Mapping[str, np.ndarray] | None = None,
    attributes: Mapping[str, np.ndarray] | None = None,
) -> Measured:
    """Measure a model; `points` are thresholds (folds, L) by rule, `attributes` groups of images."""
    points = points or {}
    quantities, subgroups = Quantities(scored, names, points), Subgroups(scored, attributes or {})
    cells = len(quantities.named)

    def statistic(weights_BN: np.ndarray) -> np.ndarray:
        grouped = subgroups(weights_BN).reshape(len(weights_BN), -1)
        return np.concatenate([quantities(weights_BN), grouped], axis=1)

    point_W = statistic(np.ones((1, len(scored.labels_NL))))[0]
    spread_BW = intervals.bootstrap(statistic, scored.patients_N, samples=samples, rng=rng)
    shape = (len(subgroups.groups), len(METRICS), len(names))
    return Measured(
        scored=scored,
        names=tuple(names),
        points=points,
        quantities=quantities.named,
        point_V=point_W[:cells],
        spread_BV=spread_BW[:, :cells],
        groups=subgroups.groups,
        group_GML=point_W[cells:].reshape(shape),
        group_BGML=spread_BW[:, cells:].reshape(samples, *shape),
        confidence=confidence,
    )


def number(value: Any) -> float | None:
    """Return a rounded float, None for an undefined one (JSON has no NaN)."""
    return None if np.isnan(value) else round(float(value), DECIMALS)
