"""Does a score mean what it says: of the decisions given 0.8, are eight in ten right?

Sources: Guo et al. 2017, "On calibration of modern neural networks" (expected calibration error,
equal-width bins); Brier 1950 (sum of squared differences over the classes, 0 best, 2 worst).
Shapes: see `cxr.metrics`; M claims, R bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 15


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """What was claimed and what came true, by bins of equal width over 0 to 1."""

    edges: np.ndarray
    """(R + 1,)"""
    count: np.ndarray
    """Claims in each bin, (R,)."""
    claimed: np.ndarray
    """Their mean score, NaN in an empty bin."""
    observed: np.ndarray
    """The share that came true, NaN in an empty bin."""

    @property
    def ece(self) -> float:
        """Expected calibration error: mean gap between claimed and observed, weighted by count."""
        if not self.count.sum():
            return float("nan")
        gaps = np.nan_to_num(np.abs(self.claimed - self.observed))
        return float((gaps * self.count).sum() / self.count.sum())


def claims(
    labels_NL: np.ndarray, scores_NL: np.ndarray, *, exclusive: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the model claims and whether it came true, both (M,).

    Exclusive labels: the highest score of each image and whether that class is the true one.
    Others: every known label's own score and whether the label is present.
    """
    if exclusive:
        decided_N = scores_NL.argmax(axis=1)
        rows = np.arange(len(scores_NL))
        return scores_NL[rows, decided_N], labels_NL[rows, decided_N] == 1
    known_NL = ~np.isnan(labels_NL)
    return scores_NL[known_NL], labels_NL[known_NL] == 1


def reliability(claimed_M: np.ndarray, true_M: np.ndarray, *, bins: int = BINS) -> Reliability:
    """Sort claims (0..1) into equal-width bins, closed on the right, 0 with the first."""
    claimed_M = claimed_M.astype(np.float64)
    if len(claimed_M) and not (claimed_M.min() >= 0 and claimed_M.max() <= 1):
        raise ValueError(
            f"scores must be probabilities in 0..1, not {claimed_M.min()}..{claimed_M.max()}"
        )
    edges = np.arange(bins + 1) / bins
    bin_M = np.clip(np.searchsorted(edges, claimed_M, side="left") - 1, 0, bins - 1)
    count = np.bincount(bin_M, minlength=bins)
    filled = np.where(count > 0, count, np.nan)
    return Reliability(
        edges=edges,
        count=count,
        claimed=np.bincount(bin_M, weights=claimed_M, minlength=bins) / filled,
        observed=np.bincount(bin_M, weights=true_M, minlength=bins) / filled,
    )


def brier(labels_NL: np.ndarray, scores_NL: np.ndarray, *, exclusive: bool) -> float:
    """Return the mean squared difference between score and truth; unknown labels are ignored.

    Exclusive labels: summed over the classes of an image (0..2). Others: mean over labels (0..1).
    """
    squared_NL = (scores_NL.astype(np.float64) - labels_NL) ** 2
    return float(squared_NL.sum(axis=1).mean() if exclusive else np.nanmean(squared_NL))
