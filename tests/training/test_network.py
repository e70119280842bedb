"""Networks: keyed initial weights, freezing by named groups, frozen BatchNorm keeps its statistics."""

import pytest
import torch

from cxr import numerics
from cxr.training.network import build, freeze, train_mode
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
