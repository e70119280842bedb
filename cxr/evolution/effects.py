"""Main effects: what each value of each factor adds to a score, from a few dozen noisy observations.

score = mean + the sum of one effect for each factor's level + noise. Effects are drawn towards zero
(ridge regression on indicators, or the best linear unbiased prediction where effects are random), so a
level that was seen once says little. Interactions are left out on purpose: there are far fewer
observations than pairs of levels.

Sources: Robinson (1991), "That BLUP is a good thing: the estimation of random effects", Statistical
Science 6(1):15-32; solved by backfitting: Hastie & Tibshirani (1990), "Generalized additive models",
section 4.4. Sums are exact (`math.fsum`), so the same on every processor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SHRINKAGE = 4.0
"""Weight, in observations, of the belief that an effect is zero."""
_SWEEPS = 15

Levels = tuple[int, ...]
"""One level of each factor."""


@dataclass(frozen=True)
class Effects:
    """What was estimated."""

    mean: float
    of: Sequence[Mapping[int, float]]
    """by factor: level → effect; a level never seen adds nothing"""

    def score(self, levels: Levels) -> float:
        """Return the score that is to be expected."""
        added = (of.get(level, 0.0) for of, level in zip(self.of, levels, strict=True))
        return math.fsum([self.mean, *added])


def estimate(
    levels: Sequence[Levels], scores: Sequence[float], weights: Sequence[float]
) -> Effects:
    """Fit the effects to observations, each with its levels, score and weight (1: a whole one).

    Raises ValueError if there are none.
    """
    if not levels:
        raise ValueError("effects need at least one observation")
    mean = _weighted(scores, weights) / math.fsum(weights)
    places = [_places([one[factor] for one in levels]) for factor in range(len(levels[0]))]
    effects: list[dict[int, float]] = [dict.fromkeys(of, 0.0) for of in places]
    left = [score - mean for score in scores]  # what is not explained yet
    for _ in range(_SWEEPS):
        for of, found in zip(places, effects, strict=True):
            for level, rows in of.items():
                before = found[level]
                weight = [weights[row] for row in rows]
                total = _weighted([left[row] + before for row in rows], weight)
                found[level] = total / (math.fsum(weight) + SHRINKAGE)
                for row in rows:
                    left[row] += before - found[level]
    return Effects(mean, effects)


def _places(levels: Sequence[int]) -> dict[int, list[int]]:
    """Return the rows of each level."""
    found: dict[int, list[int]] = {}
    for row, level in enumerate(levels):
        found.setdefault(level, []).append(row)
    return found


def _weighted(values: Sequence[float], weights: Sequence[float]) -> float:
    return math.fsum(map(float.__mul__, map(float, values), map(float, weights)))
