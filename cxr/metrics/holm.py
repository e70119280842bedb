"""Holm's correction: p-values that stay honest when many comparisons are made at once.

An adjusted p-value below 0.05 holds with at most 5 % chance that any of the family is a false alarm,
however the comparisons hang together. Source: Holm 1979, "A simple sequentially rejective multiple
test procedure", Scandinavian Journal of Statistics 6:65-70. Shapes: K comparisons.
"""

from __future__ import annotations

import numpy as np


def adjusted(p_K: np.ndarray) -> np.ndarray:
    """Return the adjusted p-values (K,); NaN stays NaN and does not count as a comparison."""
    found = np.full(len(p_K), np.nan)
    known = np.flatnonzero(~np.isnan(p_K))
    order = known[np.argsort(p_K[known], kind="stable")]
    times = np.arange(len(order), 0, -1)
    found[order] = np.minimum(np.maximum.accumulate(p_K[order] * times), 1.0)
    return found
