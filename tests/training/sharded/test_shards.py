"""Shards: fixed parts whose weighted gradients are the batch's, and buffers that are their mean."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from cxr import seeding
from cxr.training import losses
from cxr.training.sharded import shards
from cxr.training.sharded.team import Alone

IMAGES = torch.randn(11, 1, 6, 6, generator=seeding.torch_stream(1, "images"))
KNOWN = torch.from_numpy(np.eye(3, dtype=np.float32)[np.arange(11) % 3])
KINDS = [
    ("cross_entropy", "none", 0.0),
    ("cross_entropy", "balanced", 0.1),
    ("bce", "none", 0.0),
    ("bce", "balanced", 0.0),
    ("asymmetric", "balanced", 0.0),
]


def labels(kind: str) -> torch.Tensor:
    """One label of three each; where any number may be, some are unknown, more of them at the start."""
    if kind == "cross_entropy":
        return KNOWN
    found = KNOWN.clone()
    found[:3, 1] = found[5, :] = float("nan")
    return found


def made(kind: str, class_weights: str, smoothing: float) -> losses.Loss:
    train = labels(kind)[:8].numpy()  # the weights are of other images, too
    return losses.make(
        kind, train, class_weights=class_weights, label_smoothing=smoothing  # type: ignore[arg-type]
    )  # fmt: skip


def network(*layers: nn.Module) -> nn.Sequential:
    with seeding.torch_global(1, "network"):
        return nn.Sequential(nn.Conv2d(1, 4, 3), *layers, nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))


def sharded(net: nn.Module, loss: losses.Loss, labels_BL: torch.Tensor, parts: int) -> float:
    """Leave the gradient of IMAGES in the network, shard by shard."""
    return shards.Gradients(net, parts, Alone()).leave(
        labels_BL, loss,
        lambda part: part.factor * loss(net(IMAGES[part.rows]), labels_BL[part.rows]),
    )  # fmt: skip


@pytest.mark.parametrize(("images", "parts", "sizes"), [(8, 4, [2] * 4), (11, 3, [3, 4, 4]), (5, 1, [5])])  # fmt: skip
def test_shards_are_neighbours_of_nearly_one_size(
    images: int, parts: int, sizes: list[int]
) -> None:
    found = shards.bounds(images, parts)
    assert [x.stop - x.start for x in found] == sizes
    assert [row for x in found for row in range(images)[x]] == list(range(images))


def test_a_shard_of_one_image_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"7 images can't be cut into 4 shards of 2 or more: lower"
    ):
        shards.bounds(7, 4)


@pytest.mark.parametrize("parts", [2, 3, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_without_batchnorm_the_gradient_is_that_of_the_whole_batch(
    kind: tuple[str, str, float], parts: int
) -> None:
    loss, labels_BL = made(*kind), labels(kind[0])
    whole, cut = network(), network()
    value = loss(whole(IMAGES), labels_BL)
    value.backward()
    assert sharded(cut, loss, labels_BL, parts) == pytest.approx(float(value.detach()), abs=1e-6)
    for one, other in zip(whole.parameters(), cut.parameters(), strict=True):
        assert one.grad is not None and other.grad is not None
        torch.testing.assert_close(one.grad, other.grad, atol=1e-6, rtol=0)
        assert one.grad.abs().max() > 1e-4


def test_a_batch_without_a_known_label_has_no_gradient() -> None:
    loss, unknown = made("bce", "none", 0.0), torch.full((11, 3), float("nan"))
    net = network()
    assert sharded(net, loss, unknown, 3) == 0
    assert not any(x.grad.abs().any() for x in net.parameters() if x.grad is not None)


def test_running_statistics_are_the_mean_over_the_shards_and_count_one_step() -> None:
    loss, labels_BL = made("bce", "none", 0.0), labels("bce")
    cut, begun = network(nn.BatchNorm2d(4)), network(nn.BatchNorm2d(4))
    sharded(cut, loss, labels_BL, 3)
    apart = [copy.deepcopy(begun) for _ in range(3)]
    rows = shards.bounds(11, 3)
    for net, own in zip(apart, rows, strict=True):
        net(IMAGES[own])
    for name in ("running_mean", "running_var"):
        each = [getattr(net[1], name).double() * (x.stop - x.start) for net, x in zip(apart, rows, strict=True)]  # fmt: skip
        assert torch.equal(getattr(cut[1], name), ((each[0] + each[1] + each[2]) / 11).float())
    begun(IMAGES)
    torch.testing.assert_close(cut[1].running_mean, begun[1].running_mean)
    assert cut.state_dict()["1.num_batches_tracked"].item() == 1


def test_frozen_statistics_stay_to_the_bit() -> None:
    loss, labels_BL = made("bce", "none", 0.0), labels("bce")
    frozen = nn.BatchNorm2d(4).eval()
    net, means = network(frozen), frozen.state_dict()["running_mean"]
    means.copy_(torch.tensor([0.1, 0.2, 0.3, 1e-9]))
    before = means.clone()
    sharded(net, loss, labels_BL, 5)
    assert torch.equal(means, before)


def test_what_no_loss_reaches_has_no_gradient() -> None:
    net = network()
    net.append(nn.Linear(2, 2))
    loss, labels_BL = made("bce", "none", 0.0), labels("bce")
    shards.Gradients(net, 2, Alone()).leave(
        labels_BL, loss, lambda part: loss(nn.Sequential(*list(net)[:-1])(IMAGES[part.rows]), labels_BL[part.rows])
    )  # fmt: skip
    assert [x.grad is None for x in net.parameters()] == [False] * 4 + [True] * 2


@pytest.mark.parametrize(("items", "wanted"), [(0, []), (3, [3]), (4, [4]), (9, [4, 4, 1])])
def test_blocks_are_full_but_for_the_last(items: int, wanted: list[int]) -> None:
    found = list(shards.blocks(items, 4))
    assert [x.stop - x.start for x in found] == wanted
    assert [row for x in found for row in range(items)[x]] == list(range(items))
