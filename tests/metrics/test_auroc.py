"""AUROC against scikit-learn, with ties, unknown labels and weights."""

import numpy as np
import pytest
from sklearn import metrics as reference

from cxr import seeding
from cxr.metrics import auroc


def _case(*names, images=200, levels=12):
    """Return a label and scores with many ties that know a little of it."""
    rng = seeding.stream(7, "test", *names)
    truth = rng.integers(0, 2, images).astype(np.float32)
    scores = rng.integers(0, levels, images) / levels + 0.2 * truth
    return truth, scores


@pytest.mark.parametrize("levels", [2, 12, 10_000])
def test_auroc_is_scikit_learns_with_and_without_ties(levels):
    truth, scores = _case("ties", levels=levels)
    expected = reference.roc_auc_score(truth, scores)
    assert float(auroc.auroc(truth, scores)) == pytest.approx(expected, abs=1e-12)


def test_auroc_of_weights_is_that_of_repeated_images():
    truth, scores = _case("weights")
    weights = seeding.stream(7, "times").integers(0, 4, (5, len(truth))).astype(float)
    expected = [
        reference.roc_auc_score(np.repeat(truth, times), np.repeat(scores, times))
        for times in weights.astype(int)
    ]
    np.testing.assert_allclose(auroc.auroc(truth, scores, weights), expected, atol=1e-12)


def test_unknown_labels_are_ignored():
    truth, scores = _case("unknown")
    holed = truth.copy()
    holed[::3] = np.nan
    known = ~np.isnan(holed)
    assert auroc.auroc(holed, scores) == auroc.auroc(truth[known], scores[known])


@pytest.mark.parametrize("truth", [[0, 0, 0], [1, 1, 1], [np.nan] * 3, [np.nan, 1, np.nan]])
def test_auroc_is_undefined_where_a_side_is_absent(truth):
    assert np.isnan(auroc.auroc(np.array(truth, np.float32), np.array([0.1, 0.2, 0.3])))


def test_constant_scores_are_chance():
    assert auroc.auroc(np.array([0, 1, 1, 0]), np.full(4, 0.3)) == 0.5


def test_macro_is_scikit_learns_one_versus_rest():
    rng = seeding.stream(7, "macro")
    classes = rng.integers(0, 4, 300)
    scores = rng.random((300, 4)) + np.eye(4)[classes] / 2
    scores /= scores.sum(axis=1, keepdims=True)
    expected = reference.roc_auc_score(classes, scores, multi_class="ovr", average="macro")
    assert float(auroc.macro(np.eye(4)[classes], scores)) == pytest.approx(expected, abs=1e-12)


def test_macro_leaves_out_a_label_nobody_has_but_not_one_that_a_resample_lost():
    labels = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]], float)
    scores = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.1, 0.9, 0], [0.3, 0.4, 0]])
    expected = auroc.per_label(labels, scores)[:2].mean()
    weights = np.array([[1, 1, 1, 1], [2, 0, 2, 0]], float)
    assert auroc.macro(labels, scores) == expected
    np.testing.assert_array_equal(auroc.macro(labels, scores, weights), [expected, np.nan])
    assert np.isnan(auroc.macro(labels[:, 2:], scores[:, 2:]))


def test_curve_is_scikit_learns():
    truth, scores = _case("curve")
    false_rate, true_rate, _ = reference.roc_curve(truth, scores, drop_intermediate=False)
    found = auroc.curve(truth, scores)
    np.testing.assert_allclose(found[0], false_rate, atol=1e-12)
    np.testing.assert_allclose(found[1], true_rate, atol=1e-12)
    with pytest.raises(ValueError, match="both present and absent"):
        auroc.curve(np.ones(3), scores[:3])


def test_scores_of_a_diverged_network_are_refused():
    with pytest.raises(ValueError, match="1 of 3 scores are NaN: the network diverged"):
        auroc.auroc(np.array([0, 1, 1]), np.array([0.1, np.nan, 0.3]))


def test_shapes_that_differ_are_named():
    with pytest.raises(ValueError, match=r"\(3, 2\) and \(3, 4\)"):
        auroc.per_label(np.zeros((3, 2)), np.zeros((3, 4)))
