"""Cascading randomisation goes through all layers from the output to the input, by keyed draws."""

import numpy as np
import pytest
import torch
from torch import nn

from cxr import numerics
from cxr.explaining import maps, sanity
from tests.exporting import toys
from tests.exporting.toys import SMALL

numerics.exact_torch()
IMAGES, ASKED = toys.images(4), np.array([0, 1, 2, 0])


def cascade(member, seed=1):
    return sanity.cascade(member, IMAGES, ASKED, maps.explain(member, IMAGES, ASKED), seed=seed)


def state(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("backbone", ["resnet10t", "mobilenetv2_035"])
def test_layers_run_from_the_output_to_the_input_each_with_its_norms(backbone):
    member = toys.member(backbone=backbone)
    found = sanity.layers(member, IMAGES)
    names = [name for name, _ in found]
    assert names[0] == "head.1" and "conv" in names[-1]
    kinds = (nn.Conv2d, nn.Linear)
    assert [len([m for m in own if isinstance(m, kinds)]) for _, own in found] == [1] * len(found)
    own = [module for _, modules in found for module in modules]
    known = [m for m in member.network.modules() if list(m.parameters(recurse=False))]
    assert {id(module) for module in own} == {id(module) for module in known}


def test_steps_take_the_output_layer_alone_and_every_layer_once():
    layers = [(str(i), []) for i in range(24)]
    found = sanity.steps(layers, 10)
    assert len(found) == 10 and found[0] == layers[:1]
    assert [layer for step in found for layer in step] == layers
    sizes = [len(step) for step in found[1:]]
    assert max(sizes) - min(sizes) <= 1
    assert sanity.steps(layers[:3], 10) == [[layer] for layer in layers[:3]]


def test_drawing_anew_takes_what_was_learned_and_is_keyed():
    before = state(toys.member(**SMALL).network)

    def drawn(seed, draw):
        member = toys.member(**SMALL)
        for step in sanity.steps(sanity.layers(member, IMAGES)):
            sanity.redraw(step, seed=seed, draw=draw)
        return state(member.network)

    one = drawn(1, 0)
    learned = [name for name in one if before[name].ndim > 1 or "running" in name]
    assert len(learned) > 8 and not any(torch.equal(one[name], before[name]) for name in learned)
    again, other = drawn(1, 0), drawn(1, 1)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["head.1.weight"], other["head.1.weight"])
    assert not torch.equal(one["head.1.weight"], drawn(2, 0)["head.1.weight"])


def test_a_cascade_leaves_the_model_and_repeats_to_the_bit():
    member = toys.member(**SMALL)
    before = state(member.network)
    found, again = cascade(member), cascade(member)
    assert all(torch.equal(before[name], x) for name, x in member.network.state_dict().items())
    assert found.rank_DT.tobytes() == again.rank_DT.tobytes()
    assert found.ssim_DT.tobytes() == again.ssim_DT.tobytes()
    steps = len(found.layers)
    assert found.layers[0] == "head.1" and found.rank_DT.shape == (sanity.DRAWS, steps)
    assert found.shares_T[-1] == pytest.approx(1) and (np.diff(found.shares_T) > 0).all()
    assert np.abs(found.rank_DT).max() < 0.999


def test_maps_that_ignore_the_weights_would_be_told(monkeypatch):
    monkeypatch.setattr(sanity, "redraw", lambda step, **_: None)
    found = cascade(toys.member(**SMALL))
    assert np.allclose(found.rank_DT, 1) and np.allclose(found.ssim_DT, 1)
