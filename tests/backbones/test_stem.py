"""The stem: colours folded into one grey channel, exactly, or up to borders padded with zeros."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cxr import backbones, numerics
from cxr.backbones import stem
from tests.backbones import colour

numerics.exact_torch()
SIZE_PX, MEAN, STD = 96, 0.449, 0.226
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SMALL_DENSENET = {"growth_rate": 8, "block_config": (2, 2)}
PADDED = {  # where the constant goes: into a BatchNorm beside the stem, around it, below it, or a bias
    "resnet18.tv_in1k": ({}, "bn1"),
    "mobilenetv2_100.ra_in1k": ({}, "bn1"),
    "efficientnet_b0.ra_in1k": ({}, "bn1"),
    "densenet121.tv_in1k": (SMALL_DENSENET, "features.norm0"),
    "vgg16.tv_in1k": (colour.SLIM, "features.0"),
    "resnet18d.ra2_in1k": ({}, "conv1.1"),
}


def both(name, options, tmp_path) -> tuple[nn.Module, nn.Module]:
    """A network in colour and the grey one that took its weights."""
    source = colour.network(name, **options)
    path = tmp_path / "w.safetensors"
    grey = backbones.create(name, options=options, seed=2, stream=("test",)).eval()
    colours = stem.norming(name, mean=MEAN, std=STD)
    sha256 = colour.write(path, source.state_dict())
    backbones.load_weights(grey, path, sha256=sha256, colours=colours)
    return source, grey


def colours_of(images_B1HW: torch.Tensor) -> torch.Tensor:
    """A grey image in three channels, each normed as ImageNet's are."""
    mean, std = (torch.tensor(x)[:, None, None] for x in IMAGENET)
    return (images_B1HW.repeat(1, 3, 1, 1) - mean) / std


def maps(network: nn.Module, layer: str, images: torch.Tensor) -> torch.Tensor:
    """What a layer puts out."""
    found: list[torch.Tensor] = []
    hook = network.get_submodule(layer).register_forward_hook(lambda *x: found.append(x[2].clone()))
    with torch.no_grad():
        network(images)
    hook.remove()
    return found[0]


@pytest.mark.parametrize("name", PADDED)
def test_colours_normed_otherwise_differ_at_zero_padded_borders_alone(name, tmp_path):
    options, layer = PADDED[name]
    source, grey = both(name, options, tmp_path)
    images = colour.images(SIZE_PX)
    expected = maps(source, layer, colours_of(images))
    found = maps(grey, layer, (images - MEAN) / STD)
    far = (found - expected).abs().amax(dim=(0, 1)) > 1e-4
    inside = far[2:-2, 2:-2]  # a window of 7 that steps by 2 reaches over the border twice
    border = torch.cat([far[0], far[:, 0]])
    assert not inside.any()
    assert border.all()
    assert expected[..., 2:-2, 2:-2].std() > 0.1


def test_without_padding_they_do_not_differ_at_all(tmp_path):
    """Inception-v3's first convolutions are not padded; gluon's weights are normed as ImageNet's."""
    source, grey = both("inception_v3.gluon_in1k", {}, tmp_path)
    images = colour.images(SIZE_PX)
    expected = colour.answers(source, colours_of(images))
    with torch.no_grad():
        found = grey((images - MEAN) / STD)
    colour.assert_equal(found, expected)


def test_a_norming_is_known_by_the_tag_alone():
    assert stem.norming("inception_v3", mean=0.1, std=0.2) == stem.Norming()
    assert stem.norming("searched", mean=0.1, std=0.2) == stem.Norming()
    assert stem.norming("Inception-v3.tv_in1k", mean=0.5, std=0.5) == stem.Norming()
    found = stem.norming("resnet50.tv_in1k", mean=MEAN, std=STD)
    assert found.scales == pytest.approx((0.226 / 0.229, 0.226 / 0.224, 0.226 / 0.225))
    assert found.shifts == pytest.approx((-0.036 / 0.229, -0.007 / 0.224, 0.043 / 0.225))
    with pytest.raises(ValueError, match="of resnet50 timm has"):
        stem.norming("resnet50.nobody", mean=MEAN, std=STD)


def test_colours_normed_alike_are_summed_and_no_other_tensor_is_touched():
    network = backbones.create("resnet10t", options={}, seed=1, stream=("test",))
    tensors = {name: tensor + 1 for name, tensor in network.state_dict().items()}
    colours = torch.rand(24, 3, 3, 3, generator=torch.Generator().manual_seed(1))
    before = {**tensors, "conv1.0.weight": colours}
    after = dict(before)
    stem.fold(after, network, "conv1.0", stem.Norming())
    assert torch.equal(after.pop("conv1.0.weight"), colours.sum(dim=1, keepdim=True))
    assert all(tensor is before[name] for name, tensor in after.items())


def test_what_can_not_be_folded_is_refused():
    normed = backbones.create("resnetv2_50x1_bit", options={}, seed=1, stream=("test",))
    tensors = {"stem.conv.weight": torch.ones(64, 3, 7, 7)}
    with pytest.raises(ValueError, match=r"stem\.conv, a StdConv2d, can't be folded"):
        stem.fold(tensors, normed, "stem.conv", stem.Norming())
    other = stem.norming("resnet18.tv_in1k", mean=MEAN, std=STD)
    grouped = backbones.create("resnet50_gn", options={}, seed=1, stream=("test",))
    tensors = {"conv1.weight": torch.ones(64, 3, 7, 7)}
    with pytest.raises(ValueError, match="conv1 has neither a bias nor a BatchNorm behind it"):
        stem.fold(tensors, grouped, "conv1", other)
