"""Coverage: of a thousand made-up test sets, 93 to 97 % of the 95 % intervals hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cxr import seeding
from cxr.metrics import classification, delong, intervals
from cxr.metrics.ranked import Ranked

TRIALS, RESAMPLES, PATIENTS, SHIFT = 1000, 400, 150, 1.0


def _normal(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))


TRUE_AUROC = _normal(SHIFT / math.sqrt(2))
TRUE_RATE = _normal(SHIFT / 2)  # above the middle, if present; below it, if absent


def _test_set(trial: int, *, images: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make truth, scores and patients; with several images, a patient's scores resemble each other."""
    rng = seeding.stream(11, "coverage", images, trial)
    patients = np.repeat(np.arange(PATIENTS), rng.integers(1, images + 1, PATIENTS))
    truth = (rng.random(len(patients)) < 0.4).astype(float)
    own = 0.0 if images == 1 else rng.normal(size=PATIENTS)[patients] * math.sqrt(0.6)
    rest = 1.0 if images == 1 else math.sqrt(0.4)
    return truth, own + rest * rng.normal(size=len(patients)) + SHIFT * truth, patients


def _intervals(trial: int, *, images: int) -> np.ndarray:
    """Return low and high of AUROC, sensitivity and specificity, by patients, (3, 2)."""
    truth, scores, patients = _test_set(trial, images=images)
    ranked, decided = Ranked(truth, scores), (scores > SHIFT / 2)[:, None]

    def statistic(weights: np.ndarray) -> np.ndarray:
        counts = classification.count(truth[:, None], decided, weights)
        return np.stack(
            [ranked.areas(weights)[0], counts.recall[:, 0], counts.specificity[:, 0]], axis=1
        )

    rng = seeding.stream(12, "resamples", trial)
    spread = intervals.bootstrap(statistic, patients, samples=RESAMPLES, rng=rng)
    found = [intervals.percentile(column, confidence=0.95) for column in spread.T]
    return np.array([(one.low, one.high) for one in found])


@pytest.mark.slow
@pytest.mark.parametrize("images", [1, 4])
def test_intervals_by_patient_hold_the_truth_as_often_as_they_say(images: int) -> None:
    found = np.stack([_intervals(trial, images=images) for trial in range(TRIALS)])
    truth = np.array([TRUE_AUROC, TRUE_RATE, TRUE_RATE])
    covered = ((found[..., 0] <= truth) & (truth <= found[..., 1])).mean(axis=0)
    assert (covered >= 0.93).all() and (covered <= 0.97).all(), covered


def _delong_coverage(images: int) -> float:
    covered = 0
    for trial in range(TRIALS):
        truth, scores, _ = _test_set(trial, images=images)
        low, high = delong.areas(truth, scores[None]).interval(0, confidence=0.95)
        covered += low <= TRUE_AUROC <= high
    return covered / TRIALS


def test_delong_holds_for_independent_images_alone() -> None:
    assert 0.93 <= _delong_coverage(1) <= 0.97


def _repeated(trial: int) -> tuple[np.ndarray, np.ndarray]:
    """Make a test set in which every patient is on five images that look nearly alike."""
    truth, scores, _ = _test_set(trial, images=1)
    rng = seeding.stream(13, "repeated", trial)
    return truth.repeat(5), scores.repeat(5) + 0.1 * rng.normal(size=5 * PATIENTS)


def test_delong_is_far_too_sure_where_a_patient_has_many_images() -> None:
    covered = 0
    for trial in range(TRIALS):
        truth, scores = _repeated(trial)
        low, high = delong.areas(truth, scores[None]).interval(0, confidence=0.95)
        covered += low <= TRUE_AUROC <= high
    assert covered / TRIALS < 0.75
