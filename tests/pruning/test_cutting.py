"""Cutting a trained network, and BatchNorms that measure what is left."""

import copy

import numpy as np
import pytest
import torch

from cxr import backbones, numerics, seeding
from cxr.backbones import surgery
from cxr.metrics import cost
from cxr.pruning import cutting
from cxr.training import batches
from tests.pruning.parents import SIZE, network, small

numerics.exact_torch()
RECIPE = small(head={"kind": "linear", "hidden": [], "dropout": 0.9})


def images(number: int = 20) -> np.ndarray:
    return seeding.stream(1, "images").integers(0, 256, size=(number, SIZE, SIZE), dtype=np.uint8)


def test_the_scores_are_never_cut():
    parent = network(small())
    makers = [name for group in cutting.groups(parent, size_px=SIZE) for name in group.makers]
    assert "backbone.layer4.0.conv2" in makers and "head.1" not in makers
    kept = {group.name: [0] for group in cutting.groups(parent, size_px=SIZE)}
    cutting.cut(parent, kept, size_px=SIZE)
    assert 0 < cost.macs(parent, size_px=SIZE) < 50_000
    assert parent(torch.zeros(2, 1, SIZE, SIZE)).shape == (2, 2)


def test_a_cut_that_takes_nothing_away_is_told(monkeypatch):
    parent = network(small())
    monkeypatch.setattr(surgery, "keep", lambda *_, **__: None)
    cutting.cut(parent, {}, size_px=SIZE)  # nothing was to go
    whole = cost.parameters(parent)
    with pytest.raises(ValueError, match=f"left {whole:,} parameters of {whole:,}: they must fall"):
        cutting.cut(parent, {"backbone.conv1.0": [0]}, size_px=SIZE)


def test_batchnorm_measures_the_images_it_is_shown():
    parent = network(RECIPE)
    cutting.recalibrate(parent, RECIPE, images())
    shown = batches.normalise(images(), mean=RECIPE.mean, std=RECIPE.std)
    with torch.no_grad():
        first = parent.backbone.conv1[0](shown)
    layer = parent.backbone.conv1[1]
    assert torch.allclose(layer.running_mean, first.mean(dim=(0, 2, 3)), atol=1e-5)
    assert torch.allclose(layer.running_var, first.var(dim=(0, 2, 3)), rtol=1e-4)


def test_batches_count_alike_and_what_was_measured_before_is_forgotten():
    parent, other = network(RECIPE, fold=0), network(RECIPE, fold=1)
    other.load_state_dict(
        {k: v if "running" not in k else v * 3 for k, v in parent.state_dict().items()}
    )
    for each in (parent, other):
        cutting.recalibrate(each, RECIPE, images(70))  # two batches of 35
    assert all(map(torch.equal, parent.state_dict().values(), other.state_dict().values()))
    shown = batches.normalise(images(70), mean=RECIPE.mean, std=RECIPE.std)
    with torch.no_grad():
        maps = parent.backbone.conv1[0](shown)
    variances = [part.var(dim=(0, 2, 3)) for part in maps.split(35)]
    layer = parent.backbone.conv1[1]
    assert torch.allclose(layer.running_var, (variances[0] + variances[1]) / 2, rtol=1e-4)


def test_nothing_but_statistics_changes_and_no_dropout_is_drawn():
    parent = network(RECIPE).train()
    before = copy.deepcopy(parent.state_dict())
    momenta = [layer.momentum for layer in backbones.batch_norms(parent)]
    state = torch.random.get_rng_state()
    cutting.recalibrate(parent, RECIPE, images())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [layer.momentum for layer in backbones.batch_norms(parent)] == momenta
    assert not any(module.training for module in parent.modules())
    for name, tensor in parent.state_dict().items():
        statistic = "running" in name or name.endswith("num_batches_tracked")
        assert statistic or torch.equal(tensor, before[name])
    assert all(p.requires_grad and p.grad is None for p in parent.parameters())
