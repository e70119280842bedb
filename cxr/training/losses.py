"""Losses for one label per image and for any number of labels, with weights for rare ones."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import torch
from torch.nn import functional

from cxr.training import recipe

_LARGEST_WEIGHT = 10.0
# Ridnik et al.'s own values: the defaults of AsymmetricLoss in their src/loss_functions/losses.py,
# https://github.com/Alibaba-MIIL/ASL
_GAMMA_POSITIVE, _GAMMA_NEGATIVE, _CLIP = 1, 4, 0.05


class Loss(Protocol):
    """What is to be made small, of raw scores (B, L) and labels (B, L) with NaN unknown."""

    def __call__(self, scores_BL: torch.Tensor, labels_BL: torch.Tensor, /) -> torch.Tensor:
        """Return the mean loss, a scalar."""
        ...

    def mass(self, labels_BL: torch.Tensor) -> float:
        """Return what that mean is divided by: images, their weights, or known labels."""
        ...


def make(
    kind: recipe.Loss,
    labels_NL: np.ndarray,
    *,
    class_weights: Literal["none", "balanced"],
    label_smoothing: float,
) -> Loss:
    """Return the loss of that kind.

    The mean of bce and of asymmetric is over the known labels. Weights come from the training labels
    given here. Raises ValueError if cross_entropy is asked for images that do not have exactly one
    label.
    """
    if kind == "cross_entropy":
        check_single_label(labels_NL)
        weights = _class_weights(labels_NL) if class_weights == "balanced" else None
        return _CrossEntropy(weights, label_smoothing)
    masked = _MaskedBCE if kind == "bce" else _Asymmetric
    if class_weights == "none":
        return masked(None)
    return masked(torch.from_numpy(_positive_weights(labels_NL).astype(np.float32)))


def prior(
    kind: Literal["bce", "asymmetric"],
    labels_NL: np.ndarray,
    *,
    class_weights: Literal["none", "balanced"],
) -> torch.Tensor:
    """Return (L,): the raw scores with the least loss over images of which nothing is known.

    The last layer's bias starts there, else a network of rare labels spends its first hundreds of
    steps on learning that they are rare. Source: Lin et al. (2017), "Focal loss for dense object
    detection", ICCV, section 3.3. Half an image is added on both sides, so that a label that no image
    has, or every one, has a score too. For bce it is the log odds. For asymmetric it is searched, and a
    rare label's is far higher: that of 1 image in 100 has a sigmoid of 0.32, and none is below the
    clip, where only the loss of present labels has a slope.
    """
    positives, negatives = _counts(labels_NL)
    weights = _positive_weights(labels_NL) if class_weights == "balanced" else 1.0
    odds = weights * (positives + 0.5) / (negatives + 0.5)
    best = np.log(odds) if kind == "bce" else _asymmetric_optimum(odds)
    return torch.from_numpy(best.astype(np.float32))


def probabilities(raw_BL: torch.Tensor, kind: recipe.Loss) -> torch.Tensor:
    """Return the probabilities (B, L) that raw scores stand for: softmax, or a sigmoid for each label."""
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


def _asymmetric_optimum(odds_L: np.ndarray) -> np.ndarray:
    """Return the raw scores (L,) at which odds x loss if present + loss if absent is least.

    By bisection of its slope, which has one sign change. The slope is taken from the loss itself, so
    that it is the one that the training follows, and in torch, whose functions of float64 are its own
    and not those of the machine's C library.
    """
    odds = torch.from_numpy(odds_L)
    low, high = torch.full_like(odds, -32.0), torch.full_like(odds, 32.0)
    for _ in range(50):  # to 6e-14, far below what float32 tells apart
        middle = ((low + high) / 2).requires_grad_()
        present, absent = _Asymmetric(None).terms(middle)
        (slope,) = torch.autograd.grad((odds * present + absent).sum(), middle)
        falls = slope < 0
        low, high = low.where(~falls, middle.detach()), high.where(falls, middle.detach())
    return low.numpy()


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

    def mass(self, labels_BL: torch.Tensor) -> float:
        if self.weights is None:
            return float(len(labels_BL))
        return float(self.weights[labels_BL.argmax(dim=1)].double().sum())


class _Masked:
    """Of any number of labels: those that are unknown are left out of the mean."""

    def mass(self, labels_BL: torch.Tensor) -> float:
        return float((~labels_BL.isnan()).sum())


class _MaskedBCE(_Masked):
    def __init__(self, positive_weights: torch.Tensor | None) -> None:
        self.positive_weights = positive_weights

    def __call__(self, scores_BL: torch.Tensor, labels_BL: torch.Tensor) -> torch.Tensor:
        known = ~labels_BL.isnan()
        each = functional.binary_cross_entropy_with_logits(
            scores_BL, labels_BL.nan_to_num(0.0), pos_weight=self.positive_weights, reduction="none"
        )
        return (each * known).sum() / known.sum().clamp(min=1)


class _Asymmetric(_Masked):
    """Ridnik et al. (2021), "Asymmetric loss for multi-label classification", ICCV, arXiv:2009.14119.

    present: (1 - p)^gamma_positive x -log p; absent: q^gamma_negative x -log(1 - q), where
    q = max(p - clip, 0), so that a label that is absent with certainty costs nothing at all.
    """

    def __init__(
        self,
        positive_weights: torch.Tensor | None,
        *,
        gamma_positive: float = _GAMMA_POSITIVE,
        gamma_negative: float = _GAMMA_NEGATIVE,
        clip: float = _CLIP,
    ) -> None:
        self.positive_weights = positive_weights
        self.gamma_positive, self.gamma_negative, self.clip = gamma_positive, gamma_negative, clip

    def __call__(self, scores_BL: torch.Tensor, labels_BL: torch.Tensor) -> torch.Tensor:
        known = ~labels_BL.isnan()
        truth = labels_BL.nan_to_num(0.0)
        present, absent = self.terms(scores_BL)
        if self.positive_weights is not None:
            present = self.positive_weights * present
        each = truth * present + (1 - truth) * absent
        return (each * known).sum() / known.sum().clamp(min=1)

    def terms(self, scores_BL: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what each score costs if its label is present, and if it is absent, unweighted.

        The gradient goes through the focusing weights too. That is what the paper's equations and
        its gradient analysis say; to stop it there (`disable_torch_grad_focal_loss`) is an
        experiment outside of it (https://github.com/Alibaba-MIIL/ASL/issues/31) and off in their
        present code. Then training would follow the slope of no loss that val could be judged by.
        """
        shifted = (scores_BL.sigmoid() - self.clip).clamp(min=0)
        # 1 - p and the logarithms come from the score, not from p, which is 1.0 from a score of 17 on
        missing = (-scores_BL).sigmoid()
        present = missing.pow(self.gamma_positive) * -functional.logsigmoid(scores_BL)
        log = torch.log1p(-shifted) if self.clip else functional.logsigmoid(-scores_BL)
        return present, shifted.pow(self.gamma_negative) * -log
