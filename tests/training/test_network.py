"""Networks: keyed initial weights, files and the hub's, the papers' scenarios of what is trained."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cxr import artifacts, numerics, seeding
from cxr.training import loop
from cxr.training.network import build, freeze, last_layer, start, train_mode
from cxr.training.recipe import Weights
from tests.backbones import colour, hub_server
from tests.training.recipes import tiny

numerics.exact_torch()


def trained(network) -> set[str]:
    return {name for name, p in network.named_parameters() if p.requires_grad}


def test_initial_weights_are_keyed_by_seed_and_fold_and_leave_the_global_generator_alone():
    before = torch.random.get_rng_state()
    first, again = (build(tiny(), labels=3, seed=1, fold=0).state_dict() for _ in range(2))
    other = build(tiny(), labels=3, seed=1, fold=1).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["backbone.conv_stem.weight"], other["backbone.conv_stem.weight"])
    assert torch.equal(before, torch.random.get_rng_state())


def test_head_alone_is_trained():
    network = build(tiny(), labels=3, seed=1, fold=0)
    freeze(network, ["head"])
    assert trained(network) == {"head.1.weight", "head.1.bias"}


def test_named_groups_are_trained_with_the_head():
    network = build(tiny(), labels=3, seed=1, fold=0)
    freeze(network, ["head", "conv_head", "bn2"])
    assert trained(network) == {
        "head.1.weight", "head.1.bias", "backbone.conv_head.weight", "backbone.bn2.weight",
        "backbone.bn2.bias",
    }  # fmt: skip


def test_unknown_group_is_refused_with_the_known_ones():
    network = build(tiny(), labels=3, seed=1, fold=0)
    with pytest.raises(ValueError, match=r"'layer4' matches no parameter; groups: .*blocks"):
        freeze(network, ["head", "layer4"])


def test_frozen_batch_norm_keeps_its_statistics_and_a_trained_one_does_not():
    network = build(tiny(), labels=3, seed=1, fold=0)
    freeze(network, ["head", "conv_head", "bn2"])
    train_mode(network)
    frozen = network.backbone.bn1.running_mean.clone()
    moving = network.backbone.bn2.running_mean.clone()
    network(torch.ones(4, 1, 32, 32))
    assert torch.equal(frozen, network.backbone.bn1.running_mean)
    assert not torch.equal(moving, network.backbone.bn2.running_mean)


SERGHINE = {
    "backbone": "MobileNetV2",
    "head": {"kind": "mlp", "hidden": [1024, 512], "dropout": 0.0},
}
"""Serghine 2025 on four classes; the paper's three scenarios in timm's words:"""
HEAD = {f"head.{layer}.{kind}" for layer in (0, 2, 5) for kind in ("weight", "bias")}
ONE = {f"backbone.{x}" for x in ("conv_head.weight", "bn2.weight", "bn2.bias")}
TWO = {f"backbone.blocks.6.0.{x}" for x in ("conv_pwl.weight", "bn3.weight", "bn3.bias")}
SCENARIOS = {
    "S3, the head alone": (["head"], HEAD, 1_838_596),
    "S2, one convolution": (["head", "conv_head", "bn2"], HEAD | ONE, 2_250_756),
    "S1, two convolutions": (
        ["head", "conv_head", "bn2", "blocks.6.0.conv_pwl", "blocks.6.0.bn3"],
        HEAD | ONE | TWO,
        2_558_596,
    ),
}


def test_the_papers_network_has_the_papers_counts():
    """GAP → 1024 → 512 → 4 on MobileNetV2, in colour: 4,096,580 with the norms' statistics."""
    network = build(tiny(**SERGHINE), labels=4, seed=1, fold=0)
    statistics = [
        tensor.numel()
        for name, tensor in network.named_buffers()
        if not name.endswith("num_batches_tracked")
    ]
    assert sum(p.numel() for p in network.head.parameters()) == 1_838_596
    parameters = sum(p.numel() for p in network.parameters()) + 2 * 32 * 9  # two colours more
    assert (parameters, sum(statistics)) == (4_062_468, 34_112)
    assert parameters + sum(statistics) == 4_096_580


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_trains_what_it_names_and_leaves_the_rest_bit_for_bit(scenario):
    """Two steps of a real training: parameters and the norms' statistics alike."""
    trainable, named, parameters = SCENARIOS[scenario]
    recipe = tiny(**SERGHINE, trainable=trainable, epochs=2)
    network = build(recipe, labels=4, seed=1, fold=0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    images = seeding.stream(1, "toy").integers(0, 256, size=(8, 32, 32), dtype=np.uint8)
    part = loop.Part(images, np.eye(4, dtype=np.float32)[np.arange(8) % 4])
    fitted = loop.fit(network, recipe, train=part, val=part, seed=1, stream=("test",), steps=2)
    assert trained(network) == named
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == parameters
    assert {name for name, p in network.named_parameters() if p.grad is not None} == named
    norms = {name.rpartition(".")[0] for name in named if ".bn" in name}
    statistics = {
        f"{norm}.{x}"
        for norm in norms
        for x in ("running_mean", "running_var", "num_batches_tracked")
    }
    changed = {
        name
        for name, tensor in network.state_dict().items()
        if not torch.equal(tensor, before[name])
    }
    assert changed == named | statistics
    assert {
        name for name in before if not torch.equal(fitted.tensors[name], before[name])
    } == changed


HUBS = "test_resnet.r160_in1k"
BUILD = """
import sys
from pathlib import Path
from cxr import artifacts, numerics
from cxr.training.network import build
from tests.training.recipes import tiny

numerics.exact_torch()
weights = {"hub": sys.argv[1], "sha256": sys.argv[2]}
built = build(tiny(backbone="test_resnet", weights=weights), labels=2, seed=1, fold=0)
artifacts.write_tensors(Path(sys.argv[3]), built.state_dict(), {})
"""


def test_weights_of_the_hub_are_those_of_the_same_file_on_this_machine(tmp_path):
    """The hub's address and the cache come from the environment, as a user would set them."""
    path, made, empty = (tmp_path / x for x in ("w.safetensors", "made.safetensors", "empty"))
    sha256 = colour.write(path, colour.network("test_resnet").state_dict())
    empty.mkdir()
    with hub_server.serve({f"timm/{HUBS}": path.read_bytes()}) as server:
        environment = {
            **os.environ, "HF_ENDPOINT": server.endpoint, "HF_HOME": str(tmp_path / "home"),
            "HF_TOKEN": "hf_secret", "NO_PROXY": "127.0.0.1,localhost",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }  # fmt: skip
        command = [sys.executable, "-c", BUILD, HUBS, sha256, str(made)]
        subprocess.run(command, env=environment, cwd=empty, check=True)
        assert not [headers for _, _, headers in server.requests if "hf_secret" in str(headers)]
    assert list((tmp_path / "home").rglob("model.safetensors")) and not list(empty.iterdir())
    local = tiny(backbone=HUBS, weights={"file": str(path), "sha256": sha256})
    expected = build(local, labels=2, seed=1, fold=0).state_dict()
    found = artifacts.read_tensors(made)
    assert found.keys() == expected.keys()
    assert [name for name in found if not torch.equal(found[name], expected[name])] == []
    scratch = build(tiny(backbone=HUBS), labels=2, seed=1, fold=0).state_dict()
    assert not torch.equal(
        scratch["backbone.layer1.0.conv1.weight"], found["backbone.layer1.0.conv1.weight"]
    )


def test_without_a_tag_colours_count_as_normed_as_the_grey_input_is(tmp_path):
    path = tmp_path / "w.safetensors"
    source = colour.network("test_resnet").state_dict()
    weights = {"file": str(path), "sha256": colour.write(path, source)}
    stems = {
        name: build(tiny(backbone=name, weights=weights), labels=2, seed=1, fold=0)
        .backbone.conv1[0]
        .weight
        for name in ("test_resnet", HUBS)
    }
    assert torch.equal(stems["test_resnet"], source["conv1.0.weight"].sum(dim=1, keepdim=True))
    assert not torch.equal(stems["test_resnet"], stems[HUBS])


def test_a_searched_network_takes_what_fits_it_and_any_other_must_fit_whole(tmp_path):
    source = build(tiny(), labels=2, seed=5, fold=0).backbone.state_dict()
    path = tmp_path / "net.safetensors"
    artifacts.write_tensors(path, source, {})
    weights = Weights(file=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    stage = {"width": 8, "depth": 1, "expansion": 1, "kernel": 3}
    wider = {"width": 16, "depth": 2, "expansion": 6, "kernel": 3}
    options = {"family": "mobile", "stem": 16, "stages": [stage, *[wider] * 6], "head": 1280}
    recipe = tiny(backbone="searched", backbone_options=options, weights=vars(weights))
    taken = build(recipe, labels=2, seed=1, fold=0).backbone.state_dict()
    scratch = build(recipe, labels=2, seed=1, fold=0, pretrained=False).backbone.state_dict()
    assert torch.equal(taken["conv_stem.weight"], source["conv_stem.weight"])
    other = [name for name in taken if name in source and taken[name].shape != source[name].shape]
    assert other and all(torch.equal(taken[name], scratch[name]) for name in other)
    with pytest.raises(ValueError, match="does not fit the backbone"):
        build(tiny(backbone="mobilenetv2_050", weights=vars(weights)), labels=2, seed=1, fold=0)


def test_a_new_network_starts_at_what_the_labels_alone_say():
    labels = np.zeros((100, 3), dtype=np.float32)
    labels[:10] = 1
    started, plain = (build(tiny(loss=loss), labels=3, seed=1, fold=0) for loss in ("bce", "cross_entropy"))  # fmt: skip
    start(started, tiny(loss="bce"), labels)
    start(plain, tiny(loss="cross_entropy"), labels)
    assert last_layer(started).bias.sigmoid().tolist() == pytest.approx([0.1] * 3, abs=0.005)
    assert last_layer(started).bias.requires_grad
    assert last_layer(plain).bias.tolist() == [0.0] * 3
    same = last_layer(started).weight.detach(), last_layer(plain).weight.detach()
    assert torch.equal(*same)
