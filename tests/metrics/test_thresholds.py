"""Thresholds: by trying them all, what they promise, and where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from cxr import seeding
from cxr.metrics import thresholds


def _case(seed: int, levels: int) -> tuple[np.ndarray, np.ndarray]:
    rng = seeding.stream(seed, "thresholds")
    truth = (rng.random(90) < 0.4).astype(float)
    return truth, rng.integers(0, levels, 90) / levels * 0.7 + 0.3 * truth * rng.random(90)


def _rates(truth: np.ndarray, decided: np.ndarray) -> tuple[float, float]:
    return decided[truth == 1].mean(), (~decided[truth == 0]).mean()


@pytest.mark.parametrize("levels", [4, 1000])
@pytest.mark.parametrize("seed", range(5))
def test_youden_is_the_best_of_all_cuts_of_the_roc_curve(seed: int, levels: int) -> None:
    truth, scores = _case(seed, levels)
    false_rate, true_rate, _ = reference.roc_curve(truth, scores, drop_intermediate=False)
    found = _rates(truth, scores >= thresholds.youden(truth, scores))
    assert sum(found) - 1 == pytest.approx((true_rate - false_rate).max())


@pytest.mark.parametrize("seed", range(5))
def test_sensitive_is_the_highest_threshold_that_finds_enough(seed: int) -> None:
    truth, scores = _case(seed, 1000)
    found = thresholds.sensitive(truth, scores)
    assert _rates(truth, scores >= found)[0] >= thresholds.SENSITIVITY
    level = scores[scores >= found].min()
    assert _rates(truth, scores > level)[0] < thresholds.SENSITIVITY


def test_a_threshold_lies_halfway_and_is_the_highest_among_equals() -> None:
    truth, scores = np.array([0.0, 1, 0, 1]), np.array([0.1, 0.3, 0.6, 0.8])
    assert thresholds.youden(truth, scores) == pytest.approx(0.7)  # as good as 0.2
    assert thresholds.sensitive(truth, scores) == pytest.approx(0.2)
    assert thresholds.sensitive(truth, scores[::-1]) == pytest.approx(0.05)  # everything


def test_twenty_of_twenty_one_is_enough() -> None:
    truth = np.r_[np.zeros(5), np.ones(21)]
    scores = np.r_[np.full(5, 0.2), 0.1, np.full(20, 0.9)]
    assert thresholds.sensitive(truth, scores) == pytest.approx(0.55)


def test_unknown_images_do_not_choose_and_labels_are_apart() -> None:
    truth, scores = _case(1, 1000)
    wider = np.r_[truth, np.full(30, np.nan)], np.r_[scores, np.full(30, 0.31)]
    labels = np.stack([wider[0], np.nan_to_num(wider[0])], axis=1)
    found = thresholds.choose(labels, np.stack([wider[1]] * 2, axis=1), rule="youden")
    assert found[0] == thresholds.youden(truth, scores) != found[1]


@pytest.mark.parametrize("rule", sorted(thresholds.RULES))
@pytest.mark.parametrize("truth", [[0, 0, np.nan], [1, 1, 1], [np.nan] * 3])
def test_without_both_sides_nothing_is_chosen(rule: str, truth: list[float]) -> None:
    assert np.isnan(thresholds.RULES[rule](np.array(truth, float), np.array([0.1, 0.2, 0.3])))
