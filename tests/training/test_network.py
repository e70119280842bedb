"""Networks: keyed initial weights, freezing by named groups, frozen BatchNorm keeps its statistics."""

import hashlib

import numpy as np
import pytest
import torch

from cxr import artifacts, numerics
from cxr.training.network import build, freeze, last_layer, start, train_mode
from cxr.training.recipe import Weights
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


def test_mlp_head_has_the_papers_count_of_parameters():
    """Serghine 2025: GAP → 1024 → 512 → 4 on MobileNetV2's 1280 features has 1,838,596."""
    head = {"kind": "mlp", "hidden": [1024, 512], "dropout": 0.0}
    network = build(tiny(backbone="mobilenetv2_100", head=head), labels=4, seed=1, fold=0)
    assert sum(p.numel() for p in network.head.parameters()) == 1_838_596


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
