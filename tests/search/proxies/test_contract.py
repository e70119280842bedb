"""The contract of every proxy in cxr/search/proxies: one number, the same again, the network untouched."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from cxr import numerics, plugins, seeding
from cxr.architectures import Cost
from cxr.training import network
from tests.search.spaces.examples import draws, open_space
from tests.training.recipes import tiny

numerics.exact_torch()


@pytest.fixture(params=plugins.names("search/proxies"))
def proxy(request):
    return plugins.load("search/proxies", request.param)


def case(genome=None, *, name="cxr_cells", size_px=32):
    found = open_space(name, size_px=size_px)
    genome = genome or (0,) * len(found.genes)
    head = {"kind": "linear", "hidden": [], "dropout": 0.5}
    recipe = tiny(backbone="searched", backbone_options=found.architecture(genome), head=head)
    built = network.build(recipe, labels=3, seed=1, fold=0)
    rng = seeding.stream(1, "images")
    images = torch.from_numpy(rng.normal(size=(8, 1, size_px, size_px)).astype(np.float32))
    labels = rng.integers(0, 2, size=(8, 3)).astype(float)
    labels[0, 0] = np.nan
    return built, images, labels, found.cost(genome)


def test_it_is_one_finite_number_and_the_same_again(proxy):
    for name in ("cxr_cells", "basalamah_grid", "mobile"):
        for genome in draws(open_space(name), 4):
            said = proxy.score(*case(genome, name=name))
            assert isinstance(said, float) and math.isfinite(said)
            assert said == proxy.score(*case(genome, name=name))


def test_it_leaves_the_network_as_it_was_and_draws_nothing(proxy):
    built, images, labels, cost = case()
    before = {name: tensor.clone() for name, tensor in built.state_dict().items()}
    global_state = torch.random.get_rng_state()
    proxy.score(built, images, labels, cost)
    assert torch.equal(torch.random.get_rng_state(), global_state)
    for name, tensor in built.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert built.training and all(weight.grad is None for weight in built.parameters())


def test_frozen_weights_do_not_disturb_it(proxy):
    built, images, labels, cost = case()
    said = proxy.score(built, images, labels, cost)
    for weight in built.backbone.parameters():
        weight.requires_grad_(False)
    assert proxy.score(built, images, labels, cost) == said


def test_it_tells_networks_apart(proxy):
    found = open_space(size_px=32)
    scores = [proxy.score(*case(genome)) for genome in draws(found, 6)]
    assert len(set(scores)) > 4


def test_cost_alone_decides_the_proxies_of_cost():
    built, images, labels, _ = case()
    cost = Cost(parameters=5, macs=7, activation_bytes=9)
    for name, value in (("parameters", 5.0), ("macs", 7.0)):
        proxy = plugins.load("search/proxies", name)
        assert proxy.score(built, images, labels, cost) == value
