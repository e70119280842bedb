"""How far a column's values have moved: the population stability index and the largest difference.

PSI is the sum over bins of (share now - share before) ln(share now / share before); below .1 is
called stable, from .25 on a clear shift (Siddiqi 2006, "Credit Risk Scorecards"). By chance alone it
is about (1/n + 1/m) times a chi-square with a degree of freedom less than bins (Yurdakul & Naranjo
2020, doi:10.21314/JRMV.2020.227): with few patients it passes .1 without any shift. The largest
difference between two cumulated shares is Kolmogorov and Smirnov's. Both count patients, not
images, when they ask what chance does, since images of one patient are alike.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

BINS = 10
_Z = 3.09  # of the normal distribution: one in a thousand lies above
_KS = 1.95  # of Kolmogorov's distribution: one in a thousand lies above


def binned(before: pd.Series, now: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Count known numbers between the tenths of `before`: two arrays (bins,)."""
    edges = np.unique(np.quantile(before, np.linspace(0, 1, BINS + 1)[1:-1], method="lower"))
    counts = (np.searchsorted(edges, x, side="left") for x in (before, now))
    first, second = (np.bincount(found, minlength=len(edges) + 1) for found in counts)
    return first, second


def counted(before: pd.Series, now: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Count each word that stands in either: two arrays (words,)."""
    words = sorted(set(before) | set(now))
    first, second = (
        x.value_counts().reindex(words, fill_value=0).to_numpy() for x in (before, now)
    )
    return first, second


def psi(before: np.ndarray, now: np.ndarray) -> float:
    """Return the index of two arrays of counts; half an image is added to each bin against zeros."""
    p, q = ((counts + 0.5) / (counts + 0.5).sum() for counts in (before, now))
    return float(((q - p) * np.log(q / p)).sum())


def psi_of_chance(bins: int, patients: tuple[int, int]) -> float:
    """Return what the index stays below without a shift, but for one case in a thousand."""
    degrees = max(1, bins - 1)
    # Wilson & Hilferty 1931: the cube root of a chi-square is nearly normal
    chi2 = degrees * (1 - 2 / (9 * degrees) + _Z * np.sqrt(2 / (9 * degrees))) ** 3
    return float(chi2 * sum(1 / n for n in patients))


def ks(before: pd.Series, now: pd.Series) -> float:
    """Return the largest difference between the shares of numbers up to any value."""
    values = np.unique(np.concatenate([before, now]))
    shares = (np.searchsorted(np.sort(x), values, side="right") / len(x) for x in (before, now))
    first, second = shares
    return float(np.abs(first - second).max())


def ks_of_chance(patients: tuple[int, int]) -> float:
    """Return what the difference stays below without a shift, but for one case in a thousand."""
    return float(_KS * np.sqrt(sum(1 / n for n in patients)))
