"""Networks of all families: built as planned, trained, weighed, taken from files, exported."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import nn

from cxr import architectures, artifacts, backbones, exporting, numerics, seeding
from cxr.architectures import Cost
from cxr.metrics import cost
from cxr.training import models
from cxr.training.network import build
from tests.architectures.cases import FAMILIES, KINDS, SIZE_PX, cells, draw, mobile, stage
from tests.training.recipes import tiny

numerics.exact_torch()


@pytest.fixture(params=KINDS)
def architecture(request: pytest.FixtureRequest) -> dict[str, Any]:
    return KINDS[request.param]


def create(architecture: dict[str, Any], *, seed: int = 1) -> Any:
    return backbones.create("searched", options=architecture, seed=seed, stream=("test",))


def images(size_px: int = SIZE_PX) -> torch.Tensor:
    return torch.randn(4, 1, size_px, size_px, generator=seeding.torch_stream(1, "images"))


def weighed(network: nn.Module, size_px: int) -> Cost:
    return Cost(
        parameters=cost.parameters(network),
        macs=cost.macs(network, size_px=size_px),
        activation_bytes=cost.activation_bytes(network, size_px=size_px),
    )


def test_every_parameter_learns_in_a_step(architecture):
    network = create(architecture)
    found = network(images())
    assert found.shape == (4, backbones.features(network))
    assert backbones.features(network) == architectures.features(architecture, size_px=SIZE_PX)
    found.square().sum().backward()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    optimizer.step()
    assert [n for n, x in network.named_parameters() if torch.equal(x, before[n])] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_counted_cost_is_that_of_the_built_network(family):
    for number in range(8 if family == "mobile" else 25):  # timm is slow to build
        architecture = draw(family, number)
        network = create(architecture)
        sizes = (SIZE_PX,) if architectures.fixed_px(architecture) else (SIZE_PX, 45)
        for size_px in sizes:
            counted = architectures.cost(architecture, size_px=size_px)
            assert counted == weighed(network, size_px), architectures.words(architecture)


def test_the_maps_of_the_built_network_are_those_of_the_drawing(architecture):
    if architecture["family"] == "mobile":
        pytest.skip("timm's modules are not one for each part")
    network, maps = create(architecture).eval(), images()
    lines = architectures.outline(architecture, size_px=SIZE_PX)[1:]
    for module, line in zip(network, lines, strict=True):
        maps = module(maps)
        sides = (line.side_px,) * 2 if line.side_px else ()
        assert maps.shape == (4, line.channels, *sides)


def test_same_stream_same_weights_and_another_stream_others(architecture):
    one, same = create(architecture).state_dict(), create(architecture).state_dict()
    other = create(architecture, seed=2).state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)
    first = next(iter(one))
    assert not torch.equal(one[first], other[first])


def test_initial_weights_keep_the_variance_of_a_rectifier():
    network = create(cells(stage(width=64), stage("inverted", width=64), hidden=[256]))
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.weight.numel() > 2000:
            expected = (2 / layer.weight[0].numel()) ** 0.5
            assert float(layer.weight.detach().std()) == pytest.approx(expected, rel=0.1), name
            assert layer.bias is None or not layer.bias.any()


def test_activations_and_norms_are_those_of_the_architecture():
    kinds = {type(layer).__name__ for layer in create(KINDS["everything"]).modules()}
    assert {"Hardswish", "GroupNorm", "MaxPool2d", "Shrunk", "Squeezed"} <= kinds
    assert not kinds & {"ReLU", "SiLU", "BatchNorm2d"}
    norms = [m for m in create(KINDS["everything"]).modules() if isinstance(m, nn.GroupNorm)]
    assert {norm.num_channels // norm.num_groups for norm in norms} == {8}


def test_a_shrunk_image_is_the_mean_of_its_pixels_at_half_the_side():
    network = create(cells(resolution=50))
    shrunk = network.shrink(images())
    assert torch.allclose(shrunk, nn.functional.avg_pool2d(images(), 2), atol=1e-6)


def test_a_network_of_flattened_maps_refuses_another_size():
    for name in ("flat", "plain_cnn"):
        with pytest.raises(ValueError, match=r"images of 32 px alone, .* not of 40 px"):
            create(KINDS[name])(images(40))


@pytest.mark.parametrize("name", ["residual", "everything", "plain_cnn", "mobile"])
def test_weights_are_taken_from_a_file_of_the_same_network(tmp_path, name):
    source = create(KINDS[name])
    network = create(KINDS[name], seed=2)
    sizes = cost.parameters(source)
    path, sha256 = written(tmp_path, source)
    assert backbones.load_weights(network, path, sha256=sha256) == (sizes, sizes)
    assert all(torch.equal(x, source.state_dict()[n]) for n, x in network.state_dict().items())


def written(folder: Path, network: nn.Module) -> tuple[Path, str]:
    path = folder / "weights.safetensors"
    artifacts.write_tensors(path, network.state_dict(), {})
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def test_mobile_is_mobilenetv2_under_timms_names(tmp_path):
    """The weights of timm's network in colour, all of them, and the same answers."""
    source = timm.create_model("mobilenetv2_035", pad_type="same", bn_eps=1e-3, num_classes=0)
    path, sha256 = written(tmp_path, source)
    network = create(mobile()).eval()
    taken, everything = backbones.load_weights(network, path, sha256=sha256)
    assert taken == everything == cost.parameters(network)
    grey = images()
    with torch.no_grad():
        expected = source.eval()(grey.repeat(1, 3, 1, 1))
        assert torch.allclose(network(grey), expected, atol=1e-4)


def test_partial_weights_are_the_tensors_of_equal_name_and_shape(tmp_path):
    source = timm.create_model("mobilenetv2_035", num_classes=10)
    path, sha256 = written(tmp_path, source)
    changed = mobile((8, 8, 16, 24, 48, 56, 112), kernels=(5, 3, 3, 3, 3, 3, 3))
    network, before = create(changed), create(changed).state_dict()
    taken, everything = backbones.load_weights(network, path, sha256=sha256, partial=True)
    found, file = network.state_dict(), source.state_dict()
    fits = [n for n in found if n in file and found[n].shape == file[n].shape]
    assert torch.equal(found["blocks.1.0.conv_dw.weight"], file["blocks.1.0.conv_dw.weight"])
    assert torch.equal(found["blocks.0.0.conv_dw.weight"], before["blocks.0.0.conv_dw.weight"])
    for name, tensor in found.items():
        if name != "conv_stem.weight":  # summed over the colours
            assert torch.equal(tensor, file[name] if name in fits else before[name]), name
    sizes = {name: weight.numel() for name, weight in network.named_parameters()}
    stem = sizes["conv_stem.weight"]
    assert taken == stem + sum(size for name, size in sizes.items() if name in fits)
    assert 0.5 * everything < taken < everything == cost.parameters(network)
    with pytest.raises(
        ValueError, match=r"does not fit .* of another shape \['blocks\.0\.0\.conv_"
    ):
        backbones.load_weights(network, path, sha256=sha256)


def test_partial_weights_of_which_none_fits_are_refused(tmp_path):
    path, sha256 = written(tmp_path, create(KINDS["residual"]))
    with pytest.raises(ValueError, match=r"does not fit the backbone: .* tensors missing"):
        backbones.load_weights(create(mobile()), path, sha256=sha256, partial=True)


EXPORTED = ["squeezed", "everything", "dense, pooled", "flat, dense layer", "plain_cnn", "mobile, changed"]  # fmt: skip


@pytest.mark.parametrize("name", EXPORTED)
def test_the_exported_network_gives_the_same_probabilities(name):
    recipe = tiny(backbone="searched", backbone_options=KINDS[name])
    network = build(recipe, labels=3, seed=1, fold=0).train()
    for number in range(2):
        network(images() + number)
    last = network.eval().head[-1]
    with torch.no_grad():  # scores of mean 0 and deviation 1, so that the images matter
        deviation, mean = torch.std_mean(network(images()), dim=0)
        last.weight.div_(deviation[:, None])
        last.bias.copy_(-mean / deviation)
    member = models.Member(network, recipe)
    content = exporting.to_onnx(member, size_px=SIZE_PX, about={})
    rng = seeding.stream(1, "grey")
    grey = rng.integers(0, 256, size=(5, SIZE_PX, SIZE_PX), dtype=np.uint8)
    ours_NL, theirs_NL = models.predict(member, grey), exporting.probabilities(content, grey)
    assert np.abs(ours_NL - theirs_NL).max() < 1e-5
    assert np.ptp(theirs_NL, axis=0).max() > 0.01
