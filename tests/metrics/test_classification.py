"""Decisions, counts and averages against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as reference

from cxr import seeding
from cxr.metrics import classification


@pytest.fixture
def exclusive():
    rng = seeding.stream(7, "exclusive")
    classes = rng.integers(0, 4, 300)
    return np.eye(4)[classes], rng.random((300, 4)) + np.eye(4)[classes] / 2


@pytest.fixture
def combined():
    rng = seeding.stream(7, "combined")
    labels = (rng.random((300, 3)) < [0.5, 0.2, 0.05]).astype(float)
    return labels, np.clip(rng.random((300, 3)) * 0.7 + labels * 0.3, 0, 1)


def test_exclusive_classes_agree_with_scikit_learn(exclusive):
    labels, scores = exclusive
    truth, decided = labels.argmax(1), scores.argmax(1)
    counts = classification.count(labels, classification.highest(scores))
    accuracy, balanced, macro_f1 = classification.overall(
        counts, supported_L=np.full(4, True), exclusive=True
    )
    precision, recall, f1, support = reference.precision_recall_fscore_support(truth, decided)
    np.testing.assert_allclose(counts.precision, precision)
    np.testing.assert_allclose(counts.recall, recall)
    np.testing.assert_allclose(counts.f1, f1)
    np.testing.assert_array_equal(counts.support, support)
    assert accuracy == pytest.approx(reference.accuracy_score(truth, decided))
    assert classification.accuracy(labels, scores) == pytest.approx(float(accuracy))
    assert balanced == pytest.approx(reference.balanced_accuracy_score(truth, decided))
    assert macro_f1 == pytest.approx(reference.f1_score(truth, decided, average="macro"))
    np.testing.assert_array_equal(
        classification.confusion(truth, decided, classes=4),
        reference.confusion_matrix(truth, decided),
    )


def test_combined_labels_agree_with_scikit_learn_and_ignore_the_unknown(combined):
    labels, scores = combined
    labels[::5, 1] = np.nan
    thresholds = np.array([0.5, 0.4, 0.3])
    counts = classification.count(labels, scores >= thresholds)
    for i in range(3):
        known = ~np.isnan(labels[:, i])
        truth, decided = labels[known, i], (scores[known, i] >= thresholds[i]).astype(float)
        expected = reference.precision_recall_fscore_support(truth, decided, average="binary")
        np.testing.assert_allclose(
            [counts.precision[i], counts.recall[i], counts.f1[i]], expected[:3]
        )
        assert counts.accuracy[i] == pytest.approx(reference.accuracy_score(truth, decided))
    accuracy, balanced, macro_f1 = classification.overall(
        counts, supported_L=np.full(3, True), exclusive=False
    )
    assert accuracy == pytest.approx(counts.accuracy.mean())
    assert balanced == pytest.approx((counts.recall + counts.specificity).mean() / 2)
    assert macro_f1 == pytest.approx(counts.f1.mean())


def test_counts_under_weights_are_those_of_repeated_images(exclusive):
    labels, scores = exclusive
    decided = classification.highest(scores)
    weights = seeding.stream(7, "times").integers(0, 4, (6, len(labels)))
    counts = classification.count(labels, decided, weights.astype(float))
    for b, times in enumerate(weights):
        repeated = classification.count(
            np.repeat(labels, times, axis=0), np.repeat(decided, times, axis=0)
        )
        np.testing.assert_array_equal(counts.true_positive[b], repeated.true_positive)
        np.testing.assert_array_equal(counts.false_positive[b], repeated.false_positive)
        np.testing.assert_array_equal(counts.true_negative[b], repeated.true_negative)


def test_a_label_without_support_is_undefined_and_left_out_of_the_averages():
    labels = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0]], float)
    decided = np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]], bool)
    counts = classification.count(labels, decided)
    assert np.isnan(counts.recall[2]) and np.isnan(counts.f1[2]) and counts.precision[2] == 0
    accuracy, balanced, macro_f1 = classification.overall(
        counts, supported_L=np.array([True, True, False]), exclusive=True
    )
    assert (accuracy, balanced) == (pytest.approx(2 / 3), 0.75)
    assert macro_f1 == pytest.approx((1 + 2 / 3) / 2)


def test_never_decided_has_no_precision_but_a_zero_f1():
    counts = classification.count(np.array([[1.0], [0.0]]), np.array([[False], [False]]))
    assert np.isnan(counts.precision[0]) and counts.f1[0] == 0 and counts.recall[0] == 0


def test_highest_takes_the_first_among_equals():
    decided = classification.highest(np.array([[0.5, 0.5], [0.1, 0.9]]))
    assert decided.tolist() == [[True, False], [False, True]]


def test_best_thresholds_reach_the_highest_f1_there_is(combined):
    labels, scores = combined
    labels[::7, 0] = np.nan
    thresholds = classification.best_thresholds(labels, scores)
    for i, threshold in enumerate(thresholds):
        known = ~np.isnan(labels[:, i])
        truth, claimed = labels[known, i], scores[known, i]
        best = max(reference.f1_score(truth, claimed >= cut) for cut in np.unique(claimed))
        assert reference.f1_score(truth, claimed >= threshold) == pytest.approx(best)


def test_best_threshold_lies_between_neighbouring_scores_and_is_half_without_positives():
    labels = np.array([[0, 0], [0, 0], [1, 0], [1, np.nan]], float)
    scores = np.array([[0.1], [0.2], [0.6], [0.9]]) * np.ones(2)
    np.testing.assert_allclose(classification.best_thresholds(labels, scores), [0.4, 0.5])


def test_images_without_exactly_one_label_are_refused():
    labels = np.array([[1, 0], [1, 1], [0, 0]], float)
    with pytest.raises(ValueError, match=r"2 of 3 images .* row 1.*loss bce"):
        classification.class_of(labels)


def test_accuracy_of_combined_labels_counts_known_labels_at_one_half():
    labels = np.array([[1, np.nan], [0, 1]])
    scores = np.array([[0.7, 0.9], [0.6, 0.5]])
    assert classification.accuracy(labels, scores, exclusive=False) == pytest.approx(2 / 3)
