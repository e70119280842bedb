"""Area under the ROC curve as a rank statistic: how often a positive image outscores a negative one.

A tie counts one half. Sums are over whole numbers and halves, hence exact in float64 in any order.

Sources: Hanley & McNeil 1982, "The meaning and use of the area under a ROC curve"; the macro
average over one-versus-rest is Fawcett 2006, section 9. Shapes: see `cxr.metrics`.
"""

from __future__ import annotations

import numpy as np


def auroc(
    truth_N: np.ndarray, scores_N: np.ndarray, weights_BN: np.ndarray | None = None
) -> np.ndarray:
    """Return the AUROC () of one label, or (B,) under weights; NaN where a side is absent."""
    positive_K, negative_K = _steps(truth_N, scores_N, weights_BN)
    below_K = np.cumsum(negative_K, axis=-1) - negative_K
    wins = (positive_K * (below_K + negative_K / 2)).sum(axis=-1)
    pairs = positive_K.sum(axis=-1) * negative_K.sum(axis=-1)
    return np.where(pairs > 0, wins / np.where(pairs > 0, pairs, 1), np.nan)


def per_label(
    labels_NL: np.ndarray, scores_NL: np.ndarray, weights_BN: np.ndarray | None = None
) -> np.ndarray:
    """Return each label's AUROC against the rest: (L,), or (B, L) under weights."""
    if labels_NL.shape != scores_NL.shape or labels_NL.ndim != 2:
        raise ValueError(
            f"labels and scores must both be (images, labels), not {labels_NL.shape} and "
            f"{scores_NL.shape}"
        )
    columns = zip(labels_NL.T, scores_NL.T, strict=True)
    return np.stack([auroc(truth, scores, weights_BN) for truth, scores in columns], axis=-1)


def macro(
    labels_NL: np.ndarray, scores_NL: np.ndarray, weights_BN: np.ndarray | None = None
) -> np.ndarray:
    """Return the mean AUROC () or (B,) over the labels that have one on all images.

    A resample that lost one side of such a label is NaN: the mean over other labels would be
    another quantity.
    """
    usable = defined(labels_NL)
    if not usable.any():
        return np.full(() if weights_BN is None else len(weights_BN), np.nan)
    return per_label(labels_NL[:, usable], scores_NL[:, usable], weights_BN).mean(axis=-1)


def defined(labels_NL: np.ndarray) -> np.ndarray:
    """Return bool (L,): does the label have both a present and an absent image?"""
    return (labels_NL == 1).any(axis=0) & (labels_NL == 0).any(axis=0)


def curve(truth_N: np.ndarray, scores_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rates (K,), from (0, 0) to (1, 1), a point per distinct score.

    Raises ValueError where a side is absent.
    """
    positive_K, negative_K = (side[::-1] for side in _steps(truth_N, scores_N, None))
    if not positive_K.sum() or not negative_K.sum():
        raise ValueError("a ROC curve needs both present and absent images of the label")
    true_K, false_K = (np.r_[0.0, np.cumsum(side)] for side in (positive_K, negative_K))
    return false_K / false_K[-1], true_K / true_K[-1]


def ascending(truth_N: np.ndarray, scores_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the K known images by ascending score, and (K,) where a new score begins.

    Raises ValueError where a score is NaN.
    """
    if np.isnan(scores_N).any():
        raise ValueError(
            f"{int(np.isnan(scores_N).sum())} of {len(scores_N)} scores are NaN: the network "
            "diverged; lower transfer's learning_rate"
        )
    known_N = ~np.isnan(truth_N)
    order_K = np.flatnonzero(known_N)[np.argsort(scores_N[known_N], kind="stable")]
    sorted_K = scores_N[order_K]
    return order_K, np.r_[True, sorted_K[1:] != sorted_K[:-1]][: len(order_K)]


def _steps(
    truth_N: np.ndarray, scores_N: np.ndarray, weights_BN: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight of present and of absent images (…, K) at each distinct score, ascending."""
    order_K, first_K = ascending(truth_N, scores_N)
    if not len(order_K):
        return np.zeros(1), np.zeros(1)
    truth_K, starts = truth_N[order_K].astype(np.float64), np.flatnonzero(first_K)
    weights_K = np.ones(len(order_K)) if weights_BN is None else weights_BN[:, order_K]
    return (
        np.add.reduceat(weights_K * truth_K, starts, axis=-1),
        np.add.reduceat(weights_K * (1 - truth_K), starts, axis=-1),
    )
