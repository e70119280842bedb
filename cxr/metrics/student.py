"""Mean and Student's t-interval of a few repeats: how far would the mean move with other seeds or folds?

Repeats are taken as independent draws of one normal distribution. Folds share training images, so
that an interval over folds is rather too narrow (Bengio & Grandvalet 2004, "No unbiased estimator
of the variance of k-fold cross-validation", JMLR 5:1089-1105).

Source: Student (1908), "The probable error of a mean", Biometrika 6:1-25.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Mean(NamedTuple):
    """A mean with its interval; the half is None for fewer than two repeats."""

    value: float
    half: float | None
    """half of the interval's width: the mean lies in value - half … value + half"""
    repeats: int

    @property
    def low(self) -> float | None:
        """The lower end."""
        return None if self.half is None else self.value - self.half

    @property
    def high(self) -> float | None:
        """The upper end."""
        return None if self.half is None else self.value + self.half


def mean(values: Sequence[float], *, confidence: float = 0.95) -> Mean:
    """Return the mean of repeats with the interval that holds it with `confidence` (two-sided).

    Raises ValueError if there are no values, or if the confidence is no share between 0 and 1.
    """
    if not values:
        raise ValueError("a mean needs at least one value; leave out what was never measured")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    count = len(values)
    middle = math.fsum(values) / count
    if count < 2:
        return Mean(middle, None, count)
    from scipy.special import (
        stdtrit,
    )  # the quantile of Student's t; scipy.stats takes a second to load

    variance = math.fsum((value - middle) ** 2 for value in values) / (count - 1)
    quantile = float(stdtrit(count - 1, (1 + confidence) / 2))
    return Mean(middle, quantile * math.sqrt(variance / count), count)
