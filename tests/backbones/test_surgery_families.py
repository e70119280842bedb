"""The families of networks that papers name: all of each can be cut, and what is saved is rebuilt to the bit."""

import copy
import hashlib
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cxr import backbones, numerics, seeding
from cxr.backbones import surgery
from cxr.metrics import cost
from cxr.pruning import cutting, reconstruction
from cxr.training import loop, models
from cxr.training.network import Network, build, last_layer
from cxr.training.recipe import Recipe
from tests.backbones.test_surgery import NETWORKS
from tests.training.recipes import tiny

numerics.exact_torch()
FAMILIES = {
    "MobileNetV2": ({}, 25),
    "ResNet-18": ({}, 12),
    "ResNet-50": ({}, 37),
    "EfficientNet-B0": ({}, 40),
    "DenseNet-121": ({}, 120),
    "VGG-16": ({}, 15),
    "VGG-16, convolutions": ({"pre_logits": False}, 13),
    "Inception-v3": ({}, 94),
    "resnext50_32x4d": ({}, 21),
}
"""The backbone's options, and how many groups of channels it has."""
SMALL = ("mobilenetv2_035", "resnet10t", "concatenated", "grouped, squeezed", "searched, group norms", "searched, flat, dense layer")  # fmt: skip


def size_px(family: str) -> int:
    if family in NETWORKS:
        return 32
    return 80 if family == "Inception-v3" else 64


def recipe(family: str) -> Recipe:
    known = NETWORKS.get(family)
    backbone, options = known or (family.split(",")[0], FAMILIES[family][0])
    return tiny(backbone=backbone, backbone_options=options)


def parent(family: str, *, centred: bool = False) -> Network:
    """Build the family with BatchNorms as if it had been trained; centred ones make 0 of 0."""
    network = build(recipe(family), labels=3, seed=1, fold=0)
    for number, layer in enumerate(backbones.batch_norms(network)):
        for name, tensor in layer.state_dict().items():
            if tensor.is_floating_point():
                rng = seeding.torch_stream(1, name, number)
                shift = centred and name in ("bias", "running_mean")
                tensor.copy_((torch.rand(tensor.shape, generator=rng) + 0.5) * (0 if shift else 1))
    return network.eval()


def groups(network: Network, family: str) -> list[surgery.Group]:
    return surgery.groups(network, size_px=size_px(family), ignored=[last_layer(network)])


def keep(network: Network, family: str, kept: dict[str, list[int]]) -> None:
    surgery.keep(network, kept, size_px=size_px(family), ignored=[last_layer(network)])


def at_random(found: list[surgery.Group], family: str) -> dict[str, list[int]]:
    """Keep a random number of random channels in each group."""
    kept = {}
    for group in found:
        rng, parts = seeding.stream(1, family, group.name), group.channels // group.multiple
        chosen = rng.permutation(parts)[: int(rng.integers(1, parts + 1))]
        whole = np.arange(group.channels).reshape(parts, group.multiple)
        kept[group.name] = sorted(whole[chosen].ravel().tolist())
    return kept


def images(family: str) -> np.ndarray:
    """Return three images: a dark one, a brighter one, a bright one."""
    rng, side = seeding.stream(1, "images", family), size_px(family)
    return (rng.random((3, side, side)) * np.array([64, 128, 255])[:, None, None]).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_all_but_the_scores_can_be_cut_down_to_eight_channels_a_group(family):
    network = parent(family)
    found = groups(network, family)
    assert len(found) == FAMILIES[family][1]
    cut = [layer for group in found for layer in (*group.makers, *group.depthwise)]
    layers = [n for n, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert sorted(cut) == sorted(layers[:-1])
    whole = cost.macs(network, size_px=size_px(family))
    least = {group.name: math.lcm(8, group.multiple) for group in found}
    keep(network, family, {g.name: [*range(min(least[g.name], g.channels))] for g in found})
    assert cost.macs(network, size_px=size_px(family)) < 0.02 * whole


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_cut_takes_just_the_channels_that_are_not_kept(family):
    """Channels that are 0 for every image say nothing: without them the scores stay as they were."""
    network = parent(family, centred=True)
    last_layer(network).bias.data.zero_()  # it would hide what the images say
    found = groups(network, family)
    kept = at_random(found, family)
    for group in found:
        gone = sorted(set(range(group.channels)) - set(kept[group.name]))
        for layer in map(network.get_submodule, (*group.makers, *group.depthwise)):
            for tensor in (layer.weight, layer.bias):
                if tensor is not None:
                    tensor.data[gone] = 0
    cut = copy.deepcopy(network)
    keep(cut, family, kept)
    filters = {name: kept[group.name] for group in found for name in group.makers}
    lost = reconstruction.lost_inputs(found, kept)
    less = [group for group in found if len(kept[group.name]) < group.channels]
    assert lost.keys() == {name for group in less for name, _ in group.takers}
    for name, inputs in lost.items():  # those that a reader is said to lose are those that it loses
        whole = network.get_submodule(name).weight
        rows = filters.get(name, range(len(whole)))
        stays = sorted(set(range(whole.shape[1])) - set(inputs))
        assert torch.equal(cut.get_submodule(name).weight, whole[list(rows)][:, stays])
    shown = torch.from_numpy(images(family)).float()[:, None] / 255
    with torch.no_grad():
        scores, expected = cut(shown), network(shown)
    largest = expected.abs().max()
    assert (expected[0] - expected[1]).abs().max() > 0.005 * largest
    assert (scores - expected).abs().max() < 1e-4 * largest


def saved_and_rebuilt(family: str, folder: Path) -> dict[str, object]:
    """Cut a network at random, score, save, load, score; return both scores and the files' hashes.

    BatchNorm measures the images first, as in a trained network: else these would all look the same.
    """
    made = recipe(family)
    network = parent(family)
    kept = at_random(groups(network, family), family)
    keep(network, family, kept)
    cutting.recalibrate(network, made, images(family))
    before = loop.raw_scores(network, made, images(family))
    fitted = loop.Fitted(dict(network.state_dict()), best_epoch=0, history=[])
    member = models.Saved(fitted, made.backbone_options, pruning=kept, temperature=1.0)
    models.save(folder, made, [member], labels=["a", "b", "c"], size_px=size_px(family))
    after = loop.raw_scores(models.load(folder, 0).network, made, images(family))
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }
    return {
        "before": before.numpy().tobytes().hex(),
        "after": after.numpy().tobytes().hex(),
        "files": files,
    }


@pytest.mark.parametrize(
    "families",
    [
        SMALL,
        *(
            pytest.param((family,), marks=pytest.mark.slow, id=family)
            for family in sorted(FAMILIES)
        ),
    ],
)
def test_cut_and_saved_in_two_processes_it_is_rebuilt_to_the_bit(families, tmp_path):
    code = (
        "import sys, json, pathlib\n"
        "from tests.backbones import test_surgery_families as t\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "print(json.dumps({name: t.saved_and_rebuilt(name, folder / name) for name in sys.argv[2:]}))\n"
    )
    first, second = (
        json.loads(
            subprocess.run(
                [sys.executable, "-c", code, tmp_path / process, *families],
                capture_output=True, text=True, check=True,
            ).stdout
        )
        for process in ("first", "second")
    )  # fmt: skip
    assert first == second and sorted(first) == sorted(families)
    for found in first.values():
        assert found["before"] == found["after"]
        scores = np.frombuffer(bytes.fromhex(found["after"]), np.float32).reshape(3, 3)
        assert np.isfinite(scores).all() and len(np.unique(scores, axis=0)) == 3
