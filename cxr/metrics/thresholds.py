"""Operating points: from which score on a label counts as present, chosen on val images.

youden: the highest sensitivity + specificity - 1 (Youden 1950, "Index for rating diagnostic tests").
sensitive: the highest threshold that still finds SENSITIVITY of the images with the label, for use
where missing a finding is worse than a false alarm.

A threshold lies halfway between neighbouring scores, so that an image a hair away decides alike;
among equals the highest is taken. On few val images it is rough: what it gives on test images has an
interval, but that holds for the threshold as it is, not for choosing one anew. Never choose on the
images a model is judged by. `cxr.metrics.classification.best_thresholds`, the rule by which a model
of any number of labels decides, is a third one: the highest F1. Shapes: see `cxr.metrics`.
"""

from __future__ import annotations

import math

import numpy as np

SENSITIVITY = 0.95
"""Share of the val images with a label that the rule `sensitive` finds, at least."""


def youden(truth_N: np.ndarray, scores_N: np.ndarray) -> float:
    """Return the threshold of one label; NaN unless it is present and absent among the images."""
    found = _cuts(truth_N, scores_N)
    if found is None:
        return float("nan")
    present_K, absent_K, cut_K = found
    # whole numbers: no rounding decides between equals
    gain_K = present_K * absent_K[-1] - absent_K * present_K[-1]
    return float(cut_K[np.argmax(gain_K)])


def sensitive(truth_N: np.ndarray, scores_N: np.ndarray) -> float:
    """Return the threshold of one label; NaN unless it is present and absent among the images."""
    found = _cuts(truth_N, scores_N)
    if found is None:
        return float("nan")
    present_K, _, cut_K = found
    wanted = math.ceil(round(SENSITIVITY * int(present_K[-1]), 6))
    return float(cut_K[np.argmax(present_K >= wanted)])


RULES = {"sensitive": sensitive, "youden": youden}
"""By name: how a threshold is chosen."""


def choose(labels_NL: np.ndarray, scores_NL: np.ndarray, *, rule: str) -> np.ndarray:
    """Return the threshold (L,) of each label; NaN where it can't be chosen."""
    pairs = zip(labels_NL.T, scores_NL.T, strict=True)
    return np.array([RULES[rule](*pair) for pair in pairs])


def _cuts(
    truth_N: np.ndarray, scores_N: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return present and absent images from each distinct score on, and the threshold, descending.

    All (K,), the first two whole numbers; None where a side is absent.
    """
    known_N = ~np.isnan(truth_N)
    truth, scores = truth_N[known_N] == 1, scores_N[known_N].astype(np.float64)
    if truth.all() or not truth.any():
        return None
    order = np.argsort(-scores, kind="stable")
    sorted_scores = scores[order]
    last_of_tie = np.r_[sorted_scores[1:] != sorted_scores[:-1], True]
    present_K = np.cumsum(truth[order])[last_of_tie]
    absent_K = np.cumsum(~truth[order])[last_of_tie]
    levels_K = sorted_scores[last_of_tie]
    return present_K, absent_K, (levels_K + np.r_[levels_K[1:], 0.0]) / 2
