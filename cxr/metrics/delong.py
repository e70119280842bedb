"""DeLong's covariance of AUROCs on the same images, and what follows: intervals and a test.

It takes images for independent. Those of one patient are not, so wherever a patient has several
images its intervals are too narrow and its p-values too low: the bootstrap over patients
(`cxr.metrics.intervals`) is what counts, DeLong stands beside it as the usual yardstick. Intervals
are Wald's, cut at 0 and 1; they have no width where no pair of images is in the wrong order.

Sources: DeLong, DeLong & Clarke-Pearson 1988, "Comparing the areas under two or more correlated
receiver operating characteristic curves", Biometrics 44:837-845; Sun & Xu 2014, "Fast
implementation of DeLong's algorithm", IEEE Signal Processing Letters 21:1389-1393 (midranks).
Shapes: see `cxr.metrics`; M models, P present and A absent images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Areas:
    """AUROCs of one label and how they vary together."""

    auroc_M: np.ndarray
    """NaN where a side is absent"""
    covariance_MM: np.ndarray
    """NaN with fewer than two images on a side"""

    def interval(self, model: int, *, confidence: float) -> tuple[float, float]:
        """Return the interval of one AUROC; NaN where undefined."""
        from scipy.special import ndtri

        half = float(ndtri((1 + confidence) / 2)) * math.sqrt(self.covariance_MM[model, model])
        low, high = (float(np.clip(self.auroc_M[model] + x, 0, 1)) for x in (-half, half))
        return low, high

    def p_value(self, first: int, second: int) -> float:
        """Return the two-sided p of no difference; 1 if both models order all images alike."""
        pair = [first, second]
        (one, both), (_, other) = self.covariance_MM[np.ix_(pair, pair)]
        difference = self.auroc_M[first] - self.auroc_M[second]
        return two_sided(float(difference), math.sqrt(max(one + other - 2 * both, 0.0)))


def areas(truth_N: np.ndarray, scores_MN: np.ndarray) -> Areas:
    """Return the AUROCs of several models on one label; images of unknown truth are left out."""
    present_N, absent_N = truth_N == 1, truth_N == 0
    models, present, absent = len(scores_MN), int(present_N.sum()), int(absent_N.sum())
    if not present or not absent:
        nowhere = np.full((models, models), np.nan)
        return Areas(auroc_M=np.full(models, np.nan), covariance_MM=nowhere)
    # twice the midranks are whole numbers: their sums and products are exact in any order
    of_present_MP, of_absent_MA = [], []
    for scores_N in scores_MN:
        ranks_K = _twice_midranks(scores_N[present_N | absent_N])
        is_present_K = present_N[present_N | absent_N]
        above_P = ranks_K[is_present_K] - _twice_midranks(scores_N[present_N])
        above_A = ranks_K[~is_present_K] - _twice_midranks(scores_N[absent_N])
        of_present_MP.append(above_P)  # twice the absent images below, ties count half
        of_absent_MA.append(2 * present - above_A)  # twice the present images above
    wins_MP, losses_MA = np.array(of_present_MP), np.array(of_absent_MA)
    return Areas(
        auroc_M=wins_MP.sum(axis=1) / (2 * present * absent),
        covariance_MM=_covariance(wins_MP) / (4 * absent**2 * present)
        + _covariance(losses_MA) / (4 * present**2 * absent),
    )


def two_sided(difference: float, deviation: float) -> float:
    """Return the p-value of a normal difference; NaN if its deviation is unknown."""
    if math.isnan(difference) or math.isnan(deviation):
        return float("nan")
    if deviation == 0:
        return 1.0 if difference == 0 else 0.0
    return math.erfc(abs(difference) / deviation / math.sqrt(2))


def _covariance(values_MK: np.ndarray) -> np.ndarray:
    """Return the sample covariance (M, M); NaN of fewer than two values."""
    count = values_MK.shape[1]
    if count < 2:
        return np.full((len(values_MK),) * 2, np.nan)
    totals_M = values_MK.sum(axis=1)
    return (values_MK @ values_MK.T - np.outer(totals_M, totals_M) / count) / (count - 1)


def _twice_midranks(scores_K: np.ndarray) -> np.ndarray:
    """Return twice the rank (K,) of each score, from 1; equal scores share the mean of theirs."""
    _, level_K, count = np.unique(scores_K, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (2.0 * last - count + 1)[level_K]
