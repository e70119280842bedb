"""The bootstrap: by patient, keyed, fast, and as wide as it should be."""

import time

import numpy as np
import pytest

from cxr import seeding
from cxr.metrics import auroc, classification, intervals


def test_a_patients_images_are_drawn_together_and_patients_as_often_as_there_are():
    patients = np.array(["b", "a", "b", "c", "a", "b"])
    (weights,) = intervals.resamples(patients, samples=50, rng=seeding.stream(1, "x"))
    assert weights.shape == (50, 6)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    np.testing.assert_array_equal(weights[:, 1], weights[:, 4])
    np.testing.assert_array_equal(weights[:, [0, 1, 3]].sum(axis=1), np.full(50, 3))
    assert len(np.unique(weights, axis=0)) > 5


def test_resamples_do_not_depend_on_the_pieces_they_come_in(monkeypatch):
    patients = np.array(list("abcdefgh"))
    whole = np.concatenate([*intervals.resamples(patients, samples=9, rng=seeding.stream(1, "x"))])
    monkeypatch.setattr(intervals, "_CELLS_AT_ONCE", 16)
    pieces = [*intervals.resamples(patients, samples=9, rng=seeding.stream(1, "x"))]
    assert [len(piece) for piece in pieces] == [2, 2, 2, 2, 1]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_bootstrap_is_keyed():
    patients = np.arange(30)
    values = seeding.stream(1, "values").random(30)

    def mean(weights):
        return (weights @ values)[:, None] / weights.sum(axis=1, keepdims=True)

    def run(seed):
        rng = seeding.stream(seed, "bootstrap")
        return intervals.bootstrap(mean, patients, samples=40, rng=rng)

    assert run(1).tobytes() == run(1).tobytes()
    assert run(1).tobytes() != run(2).tobytes()


def test_the_worked_example_of_the_law_schools():
    # Efron & Tibshirani 1993, "An introduction to the bootstrap", tables 3.1 and 6.1: scores of 15
    # law schools, their correlation and its bootstrap standard error with 3200 resamples
    test_scores = [576, 635, 558, 578, 666, 580, 555, 661, 651, 605, 653, 575, 545, 572, 594]
    grades = [339, 330, 281, 303, 344, 307, 300, 343, 336, 313, 312, 274, 276, 288, 296]
    both = np.array([test_scores, grades], float)

    def correlation(weights):
        share = weights / weights.sum(axis=1, keepdims=True)
        x, y = (one - (share @ one)[:, None] for one in both)
        moments = [(share * product).sum(axis=1) for product in (x * y, x * x, y * y)]
        return (moments[0] / np.sqrt(moments[1] * moments[2]))[:, None]

    assert correlation(np.ones((1, 15)))[0, 0] == pytest.approx(0.776, abs=5e-4)
    spread = intervals.bootstrap(
        correlation, np.arange(15), samples=3200, rng=seeding.stream(1, "law")
    )
    assert spread.std() == pytest.approx(0.132, abs=0.005)


def test_intervals_of_patients_are_wider_than_those_of_images():
    rng = seeding.stream(5, "clusters")
    right = np.repeat(rng.random(60) < 0.7, 8).astype(float)  # a patient's images agree

    def width(groups):
        def mean(weights):
            return (weights @ right)[:, None] / weights.sum(axis=1, keepdims=True)

        spread = intervals.bootstrap(mean, groups, samples=400, rng=seeding.stream(1, "b"))
        interval = intervals.percentile(spread[:, 0], confidence=0.95)
        return interval.high - interval.low

    assert width(np.repeat(np.arange(60), 8)) > 2 * width(np.arange(480))


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    covered = 0
    for trial in range(150):
        rng = seeding.stream(9, "cover", trial)
        truth = rng.integers(0, 2, 120).astype(float)
        scores = rng.normal(size=120) + truth  # AUROC of the model: Phi(1/sqrt 2) = 0.7602
        spread = intervals.bootstrap(
            lambda w, t=truth, s=scores: auroc.auroc(t, s, w)[:, None],
            np.arange(120), samples=200, rng=rng,
        )  # fmt: skip
        interval = intervals.percentile(spread[:, 0], confidence=0.9)
        covered += interval.low <= 0.76025 <= interval.high
    assert 0.82 <= covered / 150 <= 0.97


def test_undefined_resamples_are_left_out_and_counted():
    values = np.array([0.2, np.nan, 0.4, np.nan, 0.6])
    interval = intervals.percentile(values, confidence=0.5)
    assert (interval.low, interval.high, interval.left_out) == (
        pytest.approx(0.3), pytest.approx(0.5), 2,
    )  # fmt: skip
    empty = intervals.percentile(np.full(3, np.nan), confidence=0.5)
    assert np.isnan(empty.low) and np.isnan(empty.high) and empty.left_out == 3


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="confidence"):
        intervals.percentile(np.ones(3), confidence=95)
    with pytest.raises(ValueError, match="patients and resamples, not 0"):
        next(intervals.resamples(np.array([]), samples=3, rng=seeding.stream(1, "x")))


def test_a_thousand_resamples_of_a_real_set_take_at_most_three_seconds():
    rng = seeding.stream(2, "speed")
    labels = np.eye(3)[rng.integers(0, 3, 1124)]
    scores = rng.random((1124, 3))
    decided, patients = classification.highest(scores), rng.integers(0, 800, 1124)

    def statistic(weights):
        counts = classification.count(labels, decided, weights)
        return np.concatenate([counts.f1, auroc.per_label(labels, scores, weights)], axis=1)

    start = time.process_time()
    spread = intervals.bootstrap(statistic, patients, samples=1000, rng=rng)
    assert spread.shape == (1000, 6)
    assert time.process_time() - start <= 3
