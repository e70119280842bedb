"""One-sided tolerance limits: how many of N seen values may lie above a limit that few future ones exceed.

Seen and future values are taken as independent draws of one distribution, whatever it is.

Source: Wilks (1941), "Determination of sample sizes for setting tolerance limits",
Annals of Mathematical Statistics 12:91-96, https://doi.org/10.1214/aoms/1177731788.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Tolerance(NamedTuple):
    """How many of the seen values lie above the limit, and how sure it is then that few future ones do."""

    above: int
    confidence: float
    """less than was asked for where even the largest value is no limit"""


def tolerance(seen: int, *, exceeded: float, confidence: float) -> Tolerance:
    """Return how many of so many seen values may lie above, so that a share of at most `exceeded` does in future.

    A limit with k of N seen values above it is exceeded by at most that share with probability
    P(Binomial(N, exceeded) > k). Returned is the largest k that is as sure as `confidence`, or 0.

    Raises ValueError if nothing was seen, or if a share does not lie between 0 and 1.
    """
    if seen < 1:
        raise ValueError("a tolerance limit needs at least one value")
    for name, share in (("exceeded", exceeded), ("confidence", confidence)):
        if not 0 < share < 1:
            raise ValueError(f"{name} must lie between 0 and 1, not {share}")
    from scipy.special import bdtr  # scipy.stats takes a second to load

    doubts_N = bdtr(np.arange(seen), seen, exceeded)
    above = max(int((doubts_N <= 1 - confidence).sum()) - 1, 0)
    return Tolerance(above, 1 - float(doubts_N[above]))
