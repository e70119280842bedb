"""How far a model's scores are from what came true, image by image, ready to be weighted.

ECE and Brier score as `cxr.metrics.calibration` has them, under resamples. What is summed is rounded
to multiples of 2^-30, so that sums below 2^23 are exact in any order and on any machine.
Shapes: see `cxr.metrics`; R bins.
"""

from __future__ import annotations

import numpy as np

from cxr.metrics import calibration

_UNIT = 2.0**30  # a score's part in a sum is rounded to 1 / _UNIT


class Errors:
    """Squared differences and gaps of the claims, by image."""

    def __init__(self, labels_NL: np.ndarray, scores_NL: np.ndarray, *, exclusive: bool) -> None:
        known_NL = ~np.isnan(labels_NL)
        squared_NL = np.where(known_NL, (scores_NL - labels_NL) ** 2, 0.0)
        self._known_NL, self._squared_NL = known_NL.astype(np.float64), rounded(squared_NL)
        self._squared_N = rounded(squared_NL.sum(axis=1))
        of_known_N = known_NL.sum(axis=1).astype(np.float64)
        self._squares_N = np.ones(len(labels_NL)) if exclusive else of_known_N
        claimed_M, true_M = calibration.claims(labels_NL, scores_NL, exclusive=exclusive)
        images, bins = len(labels_NL), calibration.BINS
        self._claims_N = np.ones(images) if exclusive else of_known_N
        image_M = np.repeat(np.arange(images), self._claims_N.astype(np.int64))
        edges = (
            np.arange(bins + 1) / bins
        )  # closed on the right, as calibration.reliability has them
        bin_M = np.clip(np.searchsorted(edges, claimed_M, side="left") - 1, 0, bins - 1)
        cells_M = image_M * bins + bin_M
        gaps = np.bincount(cells_M, weights=rounded(claimed_M - true_M), minlength=images * bins)
        self._gaps_NR = gaps.reshape(images, bins)

    def ece(self, weights_BN: np.ndarray) -> np.ndarray:
        """Return the expected calibration error (B, 1); NaN without a claim.

        A resample has it too high, the more so the better calibrated a model is: an interval of it
        lies too high as well. The Brier score, a plain mean, has no such bias.
        """
        gaps_B1 = np.abs(weights_BN @ self._gaps_NR).sum(axis=1, keepdims=True)
        return share(gaps_B1, (weights_BN @ self._claims_N)[:, None])

    def brier(self, weights_BN: np.ndarray) -> np.ndarray:
        """Return the Brier score (B, 1): summed over an image's classes if exclusive, else a mean."""
        squared_B, squares_B = weights_BN @ self._squared_N, weights_BN @ self._squares_N
        return share(squared_B[:, None], squares_B[:, None])

    def brier_per_label(self, weights_BN: np.ndarray) -> np.ndarray:
        """Return the mean squared difference (B, L) of each label's own score; NaN where unknown."""
        return share(weights_BN @ self._squared_NL, weights_BN @ self._known_NL)


def rounded(numbers: np.ndarray) -> np.ndarray:
    """Round to multiples of 2^-30: sums below 2^23 then need no rounding, whatever their order."""
    return np.round(numbers * _UNIT) / _UNIT


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide; NaN where the whole is 0."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)
