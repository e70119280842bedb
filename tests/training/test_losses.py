"""Losses: equal to the plain formula, blind to unknown labels, clear about wrong ones."""

import numpy as np
import pytest
import torch

from cxr import numerics, seeding
from cxr.training import losses

numerics.exact_torch()

ONE_HOT = np.eye(3, dtype=np.float32)[[0, 0, 0, 1, 2, 2]]


def test_balanced_cross_entropy_weighs_rare_classes_up():
    loss = losses.make("cross_entropy", ONE_HOT, class_weights="balanced", label_smoothing=0.0)
    assert torch.allclose(loss.weights, torch.tensor([6 / 9, 6 / 3, 6 / 6]))


@pytest.mark.parametrize(
    ("kind", "class_weights", "mass"),
    [
        ("cross_entropy", "none", 6.0),
        ("cross_entropy", "balanced", 6.0),
        ("bce", "balanced", 16.0),
        ("asymmetric", "none", 16.0),
    ],
)
def test_mass_is_what_the_mean_is_divided_by(kind, class_weights, mass):
    labels = torch.from_numpy(ONE_HOT.copy())
    loss = losses.make(kind, ONE_HOT, class_weights=class_weights, label_smoothing=0.0)
    if kind != "cross_entropy":
        labels[:2, 1] = float("nan")
    raw = torch.arange(18.0).view(6, 3).sin()
    assert loss.mass(labels) == pytest.approx(mass)
    parts = [labels[:2], labels[2:]]
    masses = [loss.mass(part) for part in parts]
    each = [loss(rows, part) for rows, part in zip(raw.split([2, 4]), parts, strict=True)]
    weighted = sum(m * float(value) for m, value in zip(masses, each, strict=True)) / sum(masses)
    assert weighted == pytest.approx(float(loss(raw, labels)))


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


def as_printed(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ridnik et al.'s formula of a label that is present and of one that is absent, without torch."""
    p = 1 / (1 + np.exp(-scores.astype(np.float64)))
    shifted = np.maximum(p - 0.05, 0)
    return -(1 - p) * np.log(p), -(shifted**4) * np.log(1 - shifted)


def some_scores_and_labels() -> tuple[torch.Tensor, torch.Tensor]:
    rng = seeding.stream(1, "asymmetric")
    labels = (rng.random((200, 3)) < [0.1, 0.5, 0.8]).astype(np.float32)
    labels[rng.random((200, 3)) < 0.2] = np.nan
    return torch.from_numpy(rng.normal(0, 3, (200, 3)).astype(np.float32)), torch.from_numpy(labels)


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_asymmetric_is_the_papers_formula_over_the_known_labels(class_weights):
    scores, labels = some_scores_and_labels()
    loss = losses.make(
        "asymmetric", labels.numpy(), class_weights=class_weights, label_smoothing=0.0
    )
    counts = np.nansum(labels.numpy(), axis=0), np.nansum(1 - labels.numpy(), axis=0)
    weights = np.sqrt(counts[1] / counts[0]) if class_weights == "balanced" else 1.0
    present, absent = as_printed(scores.numpy())
    truth = labels.numpy().astype(np.float64)  # NaN where unknown
    expected = np.nanmean(truth * weights * present + (1 - truth) * absent)
    assert float(loss(scores, labels)) == pytest.approx(expected, rel=1e-5)
    changed = torch.where(labels.isnan(), 99.0, scores)
    assert torch.equal(loss(changed, labels), loss(scores, labels))


def test_asymmetric_without_focusing_and_clip_is_bce():
    scores, labels = some_scores_and_labels()
    weights = torch.tensor([3.0, 1.0, 0.5])
    bce = losses._MaskedBCE(weights)(scores, labels)
    bare = losses._Asymmetric(weights, gamma_positive=0, gamma_negative=0, clip=0)(scores, labels)
    assert float(bare) == pytest.approx(float(bce), abs=1e-6)


def test_asymmetric_forgets_absent_labels_below_the_clip_and_minds_confident_ones_less_than_bce():
    labels = torch.zeros(1, 1)
    asymmetric, bce = (
        losses.make(kind, labels.numpy(), class_weights="none", label_smoothing=0.0)
        for kind in ("asymmetric", "bce")
    )
    below, above = (torch.tensor([[p]]).logit() for p in (0.049, 0.2))
    assert float(asymmetric(below, labels)) == 0 < float(bce(below, labels))
    assert 0 < float(asymmetric(above, labels)) < float(bce(above, labels)) / 100


def test_the_gradient_of_asymmetric_is_the_slope_of_its_value():
    """Focusing weights included: with a gradient stopped there both differ."""
    scores, labels = (tensor.double() for tensor in some_scores_and_labels())
    loss = losses._Asymmetric(torch.tensor([3.0, 1.0, 0.5], dtype=torch.float64))
    assert torch.autograd.gradcheck(
        lambda raw: loss(raw, labels[:20]), scores[:20].requires_grad_(), atol=1e-7
    )


def test_asymmetric_and_its_gradient_are_finite_for_extreme_scores():
    scores = torch.tensor([-1e4, -100.0, -17.0, 0.0, 17.0, 100.0, 1e4]).repeat(3, 1).T.contiguous()
    labels = torch.tensor([0.0, 1.0, float("nan")]).expand(7, 3)
    loss = losses.make("asymmetric", labels.numpy(), class_weights="none", label_smoothing=0.0)
    value = loss(scores.requires_grad_(), labels)
    value.backward()
    assert scores.grad is not None and bool(torch.isfinite(scores.grad).all())
    expected = 1e4 + 100 + 17 + np.log(2) / 2 + 0.45**4 * -np.log(0.55) - 3 * 0.95**4 * np.log(0.05)
    assert float(value.detach()) == pytest.approx(expected / 14, rel=1e-5)
    assert scores.grad[:2, 1].tolist() == pytest.approx([-1 / 14] * 2)
    assert scores.grad[:, 2].tolist() == [0] * 7
    present, _ = losses._Asymmetric(None).terms(torch.tensor(20.0))  # 1 - p would be 0
    assert float(present) == pytest.approx(np.exp(-40), rel=1e-5, abs=0)


@pytest.mark.parametrize("kind", ["bce", "asymmetric"])
@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_the_prior_has_the_least_loss_of_all_constant_scores(kind, class_weights):
    """Of known labels; a label that none or all have gets a finite score too."""
    labels = np.zeros((1000, 4), dtype=np.float32)
    labels[:20, 0], labels[:600, 1], labels[:, 2] = 1, 1, 1
    labels[500:, 1] = np.nan
    labels[100:150, 1] = 0
    prior = losses.prior(kind, labels, class_weights=class_weights)
    loss = losses.make(kind, labels, class_weights=class_weights, label_smoothing=0.0)
    known = torch.from_numpy(labels)
    least = loss(prior.expand(1000, 4), known)
    for place in range(4):
        for step in (-0.3, 0.3):
            other = prior.clone()
            other[place] += step
            assert place > 1 or loss(other.expand(1000, 4), known) > least
    assert prior[3] < prior[0] < prior[1] < prior[2]
    if kind == "bce":
        assert prior[3] < -5 and prior[2] > 5
    if kind == "bce" and class_weights == "none":
        assert prior[:2].sigmoid().tolist() == pytest.approx([0.02, 0.9], abs=0.002)


@pytest.mark.parametrize("positives", [1, 10, 500, 990, 999])
def test_the_prior_of_asymmetric_is_the_least_of_all_scores_near_and_far(positives):
    """Against a search on a grid with the printed formula, half an image added to both sides."""
    labels = np.zeros((1000, 1), dtype=np.float32)
    labels[:positives] = 1
    grid = np.linspace(-16, 16, 320_001)
    present, absent = as_printed(grid)
    expected_loss = (positives + 0.5) * present + (1000.5 - positives) * absent
    prior = losses.prior("asymmetric", labels, class_weights="none")
    assert float(prior[0]) == pytest.approx(grid[expected_loss.argmin()], abs=2e-4)
    slope = np.sign(np.diff(expected_loss))
    assert np.count_nonzero(np.diff(slope)) == 1  # what the bisection rests on
