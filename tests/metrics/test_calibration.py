"""Calibration by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve

from cxr import seeding
from cxr.metrics import calibration


def test_reliability_is_scikit_learns_curve():
    rng = seeding.stream(7, "calibration")
    claimed = rng.random(500)
    true = rng.random(500) < claimed**2
    found = calibration.reliability(claimed, true, bins=10)
    observed, mean = calibration_curve(true, claimed, n_bins=10)
    np.testing.assert_allclose(found.observed[found.count > 0], observed)
    np.testing.assert_allclose(found.claimed[found.count > 0], mean)


def test_ece_by_hand():
    claimed, true = np.array([0.9, 0.9, 0.9, 0.9, 0.2]), np.array([1, 1, 1, 0, 0], bool)
    result = calibration.reliability(claimed, true)
    assert result.ece == pytest.approx(4 / 5 * 0.15 + 1 / 5 * 0.2)
    assert result.count.sum() == 5 and len(result.count) == 15


def test_a_perfect_and_certain_model_has_no_error():
    result = calibration.reliability(np.array([0.0, 1.0]), np.array([False, True]))
    assert result.ece == 0 and result.count[0] == 1 and result.count[-1] == 1


def test_no_claims_have_no_error_to_speak_of():
    assert np.isnan(calibration.reliability(np.zeros(0), np.zeros(0, bool)).ece)


def test_scores_that_are_no_probabilities_are_refused():
    with pytest.raises(ValueError, match=r"probabilities in 0..1"):
        calibration.reliability(np.array([0.2, 1.7]), np.array([True, False]))


def test_brier_is_scikit_learns():
    rng = seeding.stream(7, "brier")
    classes = rng.integers(0, 3, 100)
    scores = rng.dirichlet(np.ones(3), 100)
    labels = np.eye(3)[classes]
    expected = reference.brier_score_loss(classes, scores, labels=[0, 1, 2], scale_by_half=False)
    assert calibration.brier(labels, scores, exclusive=True) == pytest.approx(expected)
    binary = reference.brier_score_loss(labels[:, 1], scores[:, 1])
    labels[:, [0, 2]] = np.nan
    assert calibration.brier(labels, scores, exclusive=False) == pytest.approx(binary)


def test_claims_are_the_highest_score_or_every_known_one():
    labels, scores = np.array([[1, 0], [0, np.nan]]), np.array([[0.3, 0.7], [0.6, 0.4]])
    claimed, true = calibration.claims(np.nan_to_num(labels), scores, exclusive=True)
    assert claimed.tolist() == [0.7, 0.6] and true.tolist() == [False, False]
    claimed, true = calibration.claims(labels, scores, exclusive=False)
    assert claimed.tolist() == [0.3, 0.7, 0.6] and true.tolist() == [True, False, False]
