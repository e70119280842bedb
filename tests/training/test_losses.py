"""Losses: equal to the plain formula, blind to unknown labels, clear about wrong ones."""

import numpy as np
import pytest
import torch

from cxr.training import losses

ONE_HOT = np.eye(3, dtype=np.float32)[[0, 0, 0, 1, 2, 2]]


def test_balanced_cross_entropy_weighs_rare_classes_up():
    loss = losses.make("cross_entropy", ONE_HOT, class_weights="balanced", label_smoothing=0.0)
    assert torch.allclose(loss.weights, torch.tensor([6 / 9, 6 / 3, 6 / 6]))


def test_cross_entropy_is_the_mean_negative_log_probability():
    raw = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    loss = losses.make("cross_entropy", ONE_HOT, class_weights="none", label_smoothing=0.0)
    expected = -raw.log_softmax(dim=1)[[0, 1], [0, 1]].mean()
    assert loss(raw, torch.from_numpy(ONE_HOT[[0, 3]])) == pytest.approx(float(expected))


def test_bce_ignores_unknown_labels():
    labels = torch.tensor([[1.0, float("nan")], [0.0, 1.0]])
    loss = losses.make("bce", labels.numpy(), class_weights="none", label_smoothing=0.0)
    raw = torch.zeros(2, 2)
    changed = torch.tensor([[0.0, 99.0], [0.0, 0.0]])
    assert float(loss(raw, labels)) == pytest.approx(np.log(2))
    assert float(loss(changed, labels)) == pytest.approx(np.log(2))


def test_positive_weights_are_square_roots_with_a_cap():
    labels = np.zeros((10_000, 2), dtype=np.float32)
    labels[0, 0] = 1
    labels[:2500, 1] = 1
    loss = losses.make("bce", labels, class_weights="balanced", label_smoothing=0.0)
    assert loss.positive_weights.tolist() == pytest.approx([10.0, np.sqrt(3)])


def test_probabilities_of_one_label_share_1_and_those_of_several_stand_alone():
    raw = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    shared, alone = (losses.probabilities(raw, kind) for kind in ("cross_entropy", "bce"))
    assert shared.sum(dim=1).tolist() == pytest.approx([1, 1])
    assert torch.allclose(shared[0] / shared[0, 1], raw[0].exp())
    assert torch.allclose(alone, 1 / (1 + (-raw).exp()))


@pytest.mark.parametrize("row", [[1, 1, 0], [0, 0, 0], [1, float("nan"), 0]])
def test_cross_entropy_refuses_other_than_one_label(row):
    labels = np.vstack([ONE_HOT, np.float32(row)])
    with pytest.raises(ValueError, match=r"exactly one label.*first: row 6.*use loss bce"):
        losses.make("cross_entropy", labels, class_weights="none", label_smoothing=0.0)


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_the_prior_has_the_least_loss_of_all_constant_scores(class_weights):
    """Of known labels; a label that none or all have gets a finite score too."""
    labels = np.zeros((1000, 4), dtype=np.float32)
    labels[:20, 0], labels[:600, 1], labels[:, 2] = 1, 1, 1
    labels[500:, 1] = np.nan
    labels[100:150, 1] = 0
    prior = losses.prior(labels, class_weights=class_weights)
    loss = losses.make("bce", labels, class_weights=class_weights, label_smoothing=0.0)
    known = torch.from_numpy(labels)
    least = loss(prior.expand(1000, 4), known)
    for place in range(4):
        for step in (-0.3, 0.3):
            other = prior.clone()
            other[place] += step
            assert place > 1 or loss(other.expand(1000, 4), known) > least
    assert prior[3] < -5 and prior[2] > 5
    if class_weights == "none":
        assert prior[:2].sigmoid().tolist() == pytest.approx([0.02, 0.9], abs=0.002)
