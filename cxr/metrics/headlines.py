"""The few figures by which models are ranked, of all test images or under resamples.

Shapes: see `cxr.metrics`.
"""

from __future__ import annotations

import numpy as np

from cxr.metrics import auroc, classification
from cxr.metrics.ranked import Ranked
from cxr.metrics.scored import Scored

HEADLINES = ("accuracy", "balanced_accuracy", "macro_f1", "auroc")


class Headlines:
    """The headlines and each label's AUROC, its images sorted once for all resamples."""

    def __init__(self, scored: Scored) -> None:
        self._scored = scored
        self._supported_L = (scored.labels_NL == 1).any(axis=0)
        self.usable_L = auroc.defined(scored.labels_NL)
        """bool: the label is present on one image and absent on another"""
        pairs = zip(scored.labels_NL.T, scored.scores_NL.T, strict=True)
        self._ranked = [Ranked(*pair) for pair in pairs]

    def __call__(self, weights_BN: np.ndarray) -> np.ndarray:
        """Return (B, 4 + L): HEADLINES, then each label's AUROC."""
        return self.join(weights_BN, self.areas(weights_BN)[0])

    def areas(self, weights_BN: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each label's AUROC and average precision, both (B, L)."""
        pairs = [ranked.areas(weights_BN) for ranked in self._ranked]
        auroc_BL, precision_BL = (
            np.stack(columns, axis=-1) for columns in zip(*pairs, strict=True)
        )
        return auroc_BL, precision_BL

    def join(self, weights_BN: np.ndarray, auroc_BL: np.ndarray) -> np.ndarray:
        """Return what a call does, given the labels' AUROC."""
        scored = self._scored
        counts = classification.count(scored.labels_NL, scored.decided_NL, weights_BN)
        overall = classification.overall(
            counts, supported_L=self._supported_L, exclusive=scored.exclusive
        )
        macro_B = mean_over(auroc_BL, self.usable_L)
        return np.concatenate([np.stack([*overall, macro_B], axis=-1), auroc_BL], axis=-1)


def values(scored: Scored, weights_BN: np.ndarray | None = None) -> np.ndarray:
    """Return (4 + L,), or (B, 4 + L) under weights: the headlines and each label's AUROC."""
    if weights_BN is None:
        return Headlines(scored)(np.ones((1, len(scored.labels_NL))))[0]
    return Headlines(scored)(weights_BN)


def mean_over(values_BL: np.ndarray, chosen_L: np.ndarray) -> np.ndarray:
    """Return the mean (B,) over the chosen labels; NaN where there is none, or one is undefined."""
    if not chosen_L.any():
        return np.full(len(values_BL), np.nan)
    return values_BL[:, chosen_L].mean(axis=1)
