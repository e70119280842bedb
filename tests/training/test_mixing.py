"""Mix-up: shares of the named distribution, the same from the same stream, losses blended by hand."""

import collections

import numpy as np
import pytest
import torch

from cxr import numerics, seeding
from cxr.training import losses, mixing

numerics.exact_torch()

MIX = mixing.Mix(share=0.25, permutation_B=torch.tensor([2, 0, 1]))
RAW = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.5]])


def shares(alpha: float, *, draws: int = 4000) -> np.ndarray:
    rng = seeding.stream(1, "mixing")
    return np.array([mixing.draw(alpha, rng=rng, size=2).share for _ in range(draws)])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_shares_have_the_mean_and_the_variance_of_beta(alpha):
    drawn = shares(alpha)
    variance = 1 / (4 * (2 * alpha + 1))
    assert drawn.mean() == pytest.approx(0.5, abs=4 * np.sqrt(variance / len(drawn)))
    assert drawn.var() == pytest.approx(variance, rel=0.05)
    assert drawn.min() >= 0 and drawn.max() <= 1


def test_a_small_alpha_leaves_images_nearly_unmixed_and_a_large_one_halves_them():
    assert (np.abs(shares(0.01) - 0.5) > 0.49).mean() > 0.9
    assert (np.abs(shares(1000.0) - 0.5) < 0.05).mean() > 0.9


def test_shares_come_in_steps_that_hide_a_c_librarys_last_bits():
    drawn = shares(0.4, draws=200)
    assert np.array_equal(drawn * 1024, np.round(drawn * 1024))
    assert len(np.unique(drawn)) > 100


def test_the_same_stream_draws_the_same_and_another_another():
    first, again, other = (
        mixing.draw(1.0, rng=seeding.stream(1, "mixing", name), size=32) for name in (0, 0, 1)
    )
    assert first.share == again.share != other.share
    assert torch.equal(first.permutation_B, again.permutation_B)
    assert not torch.equal(first.permutation_B, other.permutation_B)


def test_partners_do_not_depend_on_how_often_beta_drew():
    """Its rejections hang on powers whose last bits differ between C libraries."""
    few, many = (mixing.draw(alpha, rng=seeding.stream(1, "mixing"), size=32) for alpha in (0.1, 5))
    assert torch.equal(few.permutation_B, many.permutation_B)


def test_every_order_of_a_batch_is_drawn_about_as_often():
    rng = seeding.stream(1, "mixing")
    orders = (tuple(mixing.draw(1.0, rng=rng, size=3).permutation_B.tolist()) for _ in range(6000))
    counted = collections.Counter(orders)
    assert len(counted) == 6
    assert all(880 < count < 1120 for count in counted.values())  # 1000 and four deviations


@pytest.mark.parametrize("shape", [(3, 1, 4, 4), (3, 5), (3,)])
def test_rows_of_any_shape_are_blended_with_their_partners(shape):
    rows = torch.arange(float(np.prod(shape))).reshape(shape)
    mixed = MIX.images(rows)
    assert mixed.shape == rows.shape and mixed.dtype == torch.float32
    for own, partner in enumerate([2, 0, 1]):
        assert torch.equal(mixed[own], 0.25 * rows[own] + 0.75 * rows[partner])


def test_a_share_of_1_changes_no_bit():
    images = torch.from_numpy(seeding.stream(1, "images").normal(size=(3, 1, 8, 8))).float()
    mix = mixing.Mix(1.0, MIX.permutation_B)
    assert torch.equal(mix.images(images), images)


def test_cross_entropy_is_blended_between_both_labels():
    labels = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    loss = losses.make("cross_entropy", labels.numpy(), class_weights="none", label_smoothing=0.0)
    blended = 0.25 * labels + 0.75 * labels[[2, 0, 1]]
    expected = -(blended * RAW.log_softmax(dim=1)).sum(dim=1).mean()
    assert float(MIX.loss(loss, RAW, labels)) == pytest.approx(float(expected))
    assert float(MIX.loss(loss, RAW, labels)) != pytest.approx(float(loss(RAW, labels)))


@pytest.mark.parametrize("kind", ["bce", "asymmetric"])
def test_an_unknown_label_is_left_out_of_its_side_of_the_blend_alone(kind):
    """Row 1's second label is unknown: its own side has 5 known labels, and so has its partner's."""
    labels = torch.tensor([[1.0, 0.0], [0.0, float("nan")], [0.0, 1.0]])
    loss = losses.make(kind, labels.numpy(), class_weights="none", label_smoothing=0.0)
    own = [(0, 0, 1.0), (0, 1, 0.0), (1, 0, 0.0), (2, 0, 0.0), (2, 1, 1.0)]
    partners = [(0, 0, 0.0), (0, 1, 1.0), (1, 0, 1.0), (1, 1, 0.0), (2, 0, 0.0)]

    def mean(cells) -> float:
        return np.mean([
            float(loss(RAW[row, place].reshape(1, 1), torch.tensor([[label]])))
            for row, place, label in cells
        ])  # fmt: skip

    expected = 0.25 * mean(own) + 0.75 * mean(partners)
    assert float(MIX.loss(loss, RAW, labels)) == pytest.approx(expected)


def test_the_blended_loss_teaches():
    labels = torch.tensor([[1.0, 0.0], [0.0, float("nan")], [0.0, 1.0]])
    loss = losses.make("bce", labels.numpy(), class_weights="none", label_smoothing=0.0)
    raw = RAW.clone().requires_grad_()
    MIX.loss(loss, raw, labels).backward()
    own, partners = 0.25 * (RAW.sigmoid() - labels) / 5, 0.75 * (RAW.sigmoid() - labels[[2, 0, 1]]) / 5  # fmt: skip
    assert raw.grad is not None
    assert torch.allclose(raw.grad, own.nan_to_num() + partners.nan_to_num())


@pytest.mark.parametrize(("alpha", "size"), [(0.0, 4), (-1.0, 4), (1.0, 0)])
def test_no_mix_of_nothing(alpha, size):
    with pytest.raises(ValueError, match=r"alpha above 0 and a batch.*draw none"):
        mixing.draw(alpha, rng=seeding.stream(1, "mixing"), size=size)


def test_a_mix_fits_its_batch_alone():
    with pytest.raises(ValueError, match=r"of 3 images, not of 4: draw one for each batch"):
        MIX.images(torch.zeros(4, 1, 2, 2))
