"""Decisions against truth: accuracy, precision, recall and F1 from counts.

One label per image ("multi-class"): the decision is the highest score. Any number of labels
("multi-label"): each label has its own threshold; accuracy is then the mean over labels of the
share decided rightly (1 - Hamming loss), balanced accuracy the mean of recall and specificity.

Sources: Sokolova & Lapalme 2009, "A systematic analysis of performance measures"; averages as in
scikit-learn, but a label without support has no recall and no F1 instead of 0.
Shapes: see `cxr.metrics`; in addition … is (), or (B,) under weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Counts:
    """True and false positives and negatives, each (…, L)."""

    true_positive: np.ndarray
    false_positive: np.ndarray
    false_negative: np.ndarray
    true_negative: np.ndarray

    @property
    def support(self) -> np.ndarray:
        """Images in which the label is present."""
        return self.true_positive + self.false_negative

    @property
    def precision(self) -> np.ndarray:
        """Share of the decisions "present" that are right; NaN if there was none."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> np.ndarray:
        """Share of the present found (sensitivity); NaN without support."""
        return _ratio(self.true_positive, self.support)

    @property
    def specificity(self) -> np.ndarray:
        """Share of the absent left alone; NaN if there are none."""
        return _ratio(self.true_negative, self.true_negative + self.false_positive)

    @property
    def f1(self) -> np.ndarray:
        """Harmonic mean of precision and recall; 0 if nothing was found, NaN without support."""
        wrong = self.false_positive + self.false_negative
        f1 = _ratio(2 * self.true_positive, 2 * self.true_positive + wrong)
        return np.where(self.support > 0, f1, np.nan)

    @property
    def accuracy(self) -> np.ndarray:
        """Share of all decisions on the label that are right."""
        right = self.true_positive + self.true_negative
        return _ratio(right, right + self.false_positive + self.false_negative)


def class_of(labels_NL: np.ndarray) -> np.ndarray:
    """Return the class (N,) of each image; raise ValueError unless exactly one label is present."""
    wrong = np.flatnonzero((labels_NL == 1).sum(axis=1) != 1)
    if len(wrong):
        raise ValueError(
            f"{len(wrong)} of {len(labels_NL)} images do not have exactly one label (first: row "
            f"{wrong[0]}): take loss bce for findings that combine, or merge the labels"
        )
    return (labels_NL == 1).argmax(axis=1)


def highest(scores_NL: np.ndarray) -> np.ndarray:
    """Decide for the one highest score of each image, the first among equals: bool (N, L)."""
    return np.arange(scores_NL.shape[1]) == scores_NL.argmax(axis=1)[:, None]


def confusion(truth_N: np.ndarray, decided_N: np.ndarray, *, classes: int) -> np.ndarray:
    """Return counts (C, C): rows are the true class, columns the decision."""
    cells_N = truth_N * classes + decided_N
    return np.bincount(cells_N, minlength=classes**2).reshape(classes, classes)


def count(
    labels_NL: np.ndarray, decided_NL: np.ndarray, weights_BN: np.ndarray | None = None
) -> Counts:
    """Count decisions (bool) against labels, each label by itself: (L,), or (B, L) under weights."""
    present_NL, absent_NL = labels_NL == 1, labels_NL == 0
    weights = np.ones(len(labels_NL)) if weights_BN is None else weights_BN
    # whole numbers: the products are exact whatever the order of their sums
    return Counts(
        true_positive=weights @ (decided_NL & present_NL).astype(np.float64),
        false_positive=weights @ (decided_NL & absent_NL).astype(np.float64),
        false_negative=weights @ (~decided_NL & present_NL).astype(np.float64),
        true_negative=weights @ (~decided_NL & absent_NL).astype(np.float64),
    )


def two_by_two(counts: Counts) -> np.ndarray:
    """Return whole counts (L, 2, 2): rows are truly present and absent, columns decided present and absent."""
    cells = (
        (counts.true_positive, counts.false_negative),
        (counts.false_positive, counts.true_negative),
    )
    return np.moveaxis(np.array(cells), 2, 0).astype(np.int64)


def overall(
    counts: Counts, *, supported_L: np.ndarray, exclusive: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return accuracy, balanced accuracy and macro F1 (…), the latter two over supported labels.

    `supported_L` says which labels are present among all images, so that a resample that lost one
    becomes NaN instead of a mean over other labels.
    """
    if exclusive:
        accuracy_ = _ratio(counts.true_positive.sum(axis=-1), counts.support.sum(axis=-1))
        balanced = counts.recall
    else:
        accuracy_ = counts.accuracy.mean(axis=-1)
        balanced = (counts.recall + counts.specificity) / 2
    means = (values[..., supported_L].mean(axis=-1) for values in (balanced, counts.f1))
    return accuracy_, *means


def accuracy(labels_NL: np.ndarray, scores_NL: np.ndarray, *, exclusive: bool = True) -> float:
    """Return the share of images whose highest score is at their one label.

    Labels that combine (not exclusive): the share of known labels decided rightly at 0.5.
    """
    if exclusive:
        return float(np.mean(class_of(labels_NL) == scores_NL.argmax(axis=1)))
    known_NL = ~np.isnan(labels_NL)
    return float(np.mean((scores_NL >= 0.5)[known_NL] == (labels_NL == 1)[known_NL]))


def best_thresholds(labels_NL: np.ndarray, scores_NL: np.ndarray) -> np.ndarray:
    """Return the threshold (L,) of highest F1 for each label; 0.5 for one that is never present.

    Halfway between neighbouring scores, so that an image a hair away decides alike; among equals
    the highest threshold. Choose on validation images, never on those the model is judged by.
    """
    return np.array([_best_threshold(*pair) for pair in zip(labels_NL.T, scores_NL.T, strict=True)])


def _best_threshold(truth_N: np.ndarray, scores_N: np.ndarray) -> float:
    known_N = ~np.isnan(truth_N)
    truth, scores = truth_N[known_N], scores_N[known_N].astype(np.float64)
    if not (truth == 1).any():
        return 0.5
    order = np.argsort(-scores, kind="stable")
    found, said = np.cumsum(truth[order]), np.arange(1, len(order) + 1)
    f1 = 2 * found / (said + truth.sum())
    last_of_tie = np.r_[scores[order][1:] != scores[order][:-1], True]
    best = int(np.argmax(np.where(last_of_tie, f1, -1.0)))
    lower = scores[order][best + 1] if best + 1 < len(order) else 0.0
    return float((scores[order][best] + lower) / 2)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide; NaN where the whole is 0."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)
