"""Losses for one label per image and for any number of labels, with weights for rare ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch.nn import functional

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
_LARGEST_WEIGHT = 10.0


def make(
    kind: Literal["cross_entropy", "bce"],
    labels_NL: np.ndarray,
    *,
    class_weights: Literal["none", "balanced"],
    label_smoothing: float,
) -> Loss:
    """Return loss(raw scores (B, L), labels (B, L) with NaN unknown) → scalar mean.

    Weights come from the training labels given here. Raises ValueError if cross_entropy is asked
    for images that do not have exactly one label.
    """
    if kind == "cross_entropy":
        check_single_label(labels_NL)
        weights = _class_weights(labels_NL) if class_weights == "balanced" else None
        return _CrossEntropy(weights, label_smoothing)
    if class_weights == "none":
        return _MaskedBCE(None)
    return _MaskedBCE(torch.from_numpy(_positive_weights(labels_NL).astype(np.float32)))


def prior(labels_NL: np.ndarray, *, class_weights: Literal["none", "balanced"]) -> torch.Tensor:
    """Return (L,): the raw scores of bce that fit images best of which nothing is known.

    The last layer's bias starts there, else a network of rare labels spends its first hundreds of
    steps on learning that they are rare. Source: Lin et al. (2017), "Focal loss for dense object
    detection", ICCV, section 3.3. Half an image is added on both sides, so that a label that no image
    has, or every one, has a score too.
    """
    positives, negatives = _counts(labels_NL)
    weights = _positive_weights(labels_NL) if class_weights == "balanced" else 1.0
    odds = weights * (positives + 0.5) / (negatives + 0.5)
    return torch.from_numpy(np.log(odds).astype(np.float32))


def probabilities(raw_BL: torch.Tensor, kind: Literal["cross_entropy", "bce"]) -> torch.Tensor:
    """Return the probabilities (B, L) that raw scores stand for: softmax, for bce a sigmoid each."""
    return raw_BL.softmax(dim=1) if kind == "cross_entropy" else raw_BL.sigmoid()


def check_single_label(labels_NL: np.ndarray) -> None:
    """Raise ValueError unless every row has exactly one 1 and no NaN."""
    wrong = np.flatnonzero(~((labels_NL == 1).sum(axis=1) == 1) | np.isnan(labels_NL).any(axis=1))
    if len(wrong):
        raise ValueError(
            f"loss cross_entropy needs exactly one label per image; {len(wrong)} images have none, "
            f"several or unknown ones (first: row {wrong[0]}): use loss bce"
        )


def _counts(labels_NL: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many images are known to have each label, and not to have it."""
    return np.nansum(labels_NL, axis=0), np.nansum(1 - labels_NL, axis=0)


def _positive_weights(labels_NL: np.ndarray) -> np.ndarray:
    """Square root and cap: the full ratio (Hernia 1 : 493) would let one label drown the others."""
    positives, negatives = _counts(labels_NL)
    ratio = np.sqrt(negatives / np.maximum(positives, 1))
    return ratio.clip(1 / _LARGEST_WEIGHT, _LARGEST_WEIGHT)


def _class_weights(labels_NL: np.ndarray) -> torch.Tensor:
    """n / (L × n_class), scikit-learn's `balanced`, so that the mean weight over images is 1."""
    counts = np.maximum(labels_NL.sum(axis=0), 1)
    return torch.from_numpy((len(labels_NL) / (labels_NL.shape[1] * counts)).astype(np.float32))


class _CrossEntropy:
    def __init__(self, weights: torch.Tensor | None, label_smoothing: float) -> None:
        self.weights, self.label_smoothing = weights, label_smoothing

    def __call__(self, scores_BL: torch.Tensor, labels_BL: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(
            scores_BL,
            labels_BL.argmax(dim=1),
            weight=self.weights,
            label_smoothing=self.label_smoothing,
        )


class _MaskedBCE:
    def __init__(self, positive_weights: torch.Tensor | None) -> None:
        self.positive_weights = positive_weights

    def __call__(self, scores_BL: torch.Tensor, labels_BL: torch.Tensor) -> torch.Tensor:
        known = ~labels_BL.isnan()
        each = functional.binary_cross_entropy_with_logits(
            scores_BL, labels_BL.nan_to_num(0.0), pos_weight=self.positive_weights, reduction="none"
        )
        return (each * known).sum() / known.sum().clamp(min=1)
