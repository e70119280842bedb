"""What is gathered of a parent: the gradients that were asked for, and a network left as it was."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from cxr import backbones, numerics, seeding
from cxr.pruning import evidence
from cxr.training import batches, losses
from cxr.training.loop import Part
from tests.pruning.parents import SIZE, network, small
from tests.training.recipes import tiny

numerics.exact_torch()
BCE = small(loss="bce")


def part(images, *, unknown=()):
    """Return images of noise, each of one label; both labels of the `unknown` ones are NaN."""
    rng = seeding.stream(1, "evidence")
    pixels = rng.integers(0, 256, size=(images, SIZE, SIZE)).astype(np.uint8)
    labels = np.eye(2, dtype=np.float32)[np.arange(images) % 2]
    labels[list(unknown)] = np.nan
    return Part(pixels, labels)


def gather(parent, recipe, images, **changes):
    settings = {"seed": 1, "fold": 0, "criteria": ["taylor"], **changes}
    return evidence.gather(parent, recipe, images, **settings)


def by_gates(parent, recipe, images, layers):
    """Return the squared slopes of the loss along a gate of 1 on each filter of layers without bias."""
    gates = {n: torch.ones(len(parent.get_submodule(n).weight), 1, 1) for n in layers}
    handles = [
        parent.get_submodule(name).register_forward_hook(
            lambda _, __, out, gate=gate.requires_grad_(): out * gate
        )
        for name, gate in gates.items()
    ]
    loss = losses.make(recipe.loss, images.labels_NL, class_weights="none", label_smoothing=0.0)
    inputs = batches.normalise(images.images_NHW, mean=recipe.mean, std=recipe.std)
    value = loss(parent.eval()(inputs), torch.from_numpy(images.labels_NL))
    slopes = torch.autograd.grad(value, list(gates.values()))
    for handle in handles:
        handle.remove()
    return {n: s.flatten().double().square().numpy() for n, s in zip(layers, slopes, strict=True)}


@pytest.mark.parametrize("recipe", [small(), BCE, tiny()], ids=["ce", "bce", "mobilenet"])
def test_taylor_is_the_squared_slope_along_a_gate_on_each_filter(recipe):
    """Two batches: the mean of both squares, not the square of both; depthwise layers too."""
    parent, images = network(recipe), part(32)
    found = gather(parent, recipe, images).taylor
    halves = [Part(images.images_NHW[h], images.labels_NL[h]) for h in (slice(16), slice(16, 32))]
    layers = [n for n, m in parent.named_modules() if isinstance(m, nn.Conv2d) and m.bias is None]
    assert len(layers) > 10
    one, other = (by_gates(parent, recipe, half, layers) for half in halves)
    for layer in layers:
        expected = (one[layer] + other[layer]) / 2
        assert np.allclose(found[layer], expected, rtol=1e-3, atol=1e-5 * expected.max())


def test_every_convolution_and_linear_layer_has_a_number_for_each_filter():
    parent = network(tiny())
    found = gather(parent, tiny(), part(4)).taylor
    layers = {n: m for n, m in parent.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    assert list(found) == list(layers) and any(getattr(m, "groups", 1) > 1 for m in layers.values())
    for name, layer in layers.items():
        assert found[name].dtype == np.float64 and found[name].shape == (len(layer.weight),)
        assert np.isfinite(found[name]).all() and (found[name] >= 0).all()


def test_unknown_labels_have_no_say():
    parent = network(BCE)
    found = gather(parent, BCE, part(8, unknown=[6, 7])).taylor
    expected = gather(parent, BCE, part(6)).taylor
    for name in expected:
        assert np.allclose(found[name], expected[name], rtol=1e-3, atol=1e-5 * expected[name].max())
    silent = gather(parent, BCE, part(4, unknown=range(4))).taylor
    assert all((total == 0).all() for total in silent.values())


def test_the_network_is_left_as_it_was():
    parent = network(small())
    parent.train()
    parent.backbone.layer1.eval()
    parent.backbone.conv1[0].weight.requires_grad_(False)
    first = next(parameter for parameter in parent.parameters() if parameter.requires_grad)
    first.grad = torch.full_like(first, 0.25)
    state = copy.deepcopy(parent.state_dict())
    modes = [module.training for module in parent.modules()]
    trained = [parameter.requires_grad for parameter in parent.parameters()]
    found = gather(parent, small(), part(4)).taylor
    assert found["backbone.conv1.0"].any()  # a frozen layer has its gradient too
    assert [module.training for module in parent.modules()] == modes
    assert [parameter.requires_grad for parameter in parent.parameters()] == trained
    for parameter in parent.parameters():
        assert (parameter is first) == (parameter.grad is not None)
    assert torch.equal(first.grad, torch.full_like(first, 0.25))
    assert all(torch.equal(tensor, state[name]) for name, tensor in parent.state_dict().items())


def test_modes_and_dropout_change_nothing_and_twice_is_the_same_to_the_byte():
    recipe = small(head={"kind": "linear", "hidden": [], "dropout": 0.5})
    parent = network(recipe)
    once = gather(parent.eval(), recipe, part(20)).taylor
    with torch.no_grad():
        again = gather(parent.train(), recipe, part(20)).taylor
    assert {n: x.tobytes() for n, x in once.items()} == {n: x.tobytes() for n, x in again.items()}


def test_by_a_batchs_own_statistics_there_would_be_nothing_to_rank():
    """Why BatchNorm is in evaluation: a filter's size then changes nothing behind its BatchNorm."""
    parent, images = network(small()), part(16)
    weight = parent.backbone.layer1[0].conv1.weight
    loss = losses.make("cross_entropy", images.labels_NL, class_weights="none", label_smoothing=0.0)
    inputs = batches.normalise(images.images_NHW, mean=0.449, std=0.226)
    for layer in backbones.batch_norms(parent.eval()):
        layer.train()
    raw = parent(inputs)
    (slope,) = torch.autograd.grad(loss(raw, torch.from_numpy(images.labels_NL)), weight)
    own = (weight.detach() * slope).flatten(1).sum(dim=1).square().max()
    assert (
        float(own) < 1e-4 * gather(parent, small(), images).taylor["backbone.layer1.0.conv1"].max()
    )


def test_no_gradients_are_taken_unless_a_criterion_asks():
    nothing = Part(np.zeros((0, SIZE, SIZE), np.uint8), np.zeros((0, 2), np.float32))
    found = gather(network(small()), small(), nothing, fold=3, criteria=["l1_norm", "random"])
    assert found == evidence.Evidence(seed=1, fold=3, taylor={})
    with pytest.raises(ValueError, match="unknown pruning/criteria 'l3_norm': known are bn_scale"):
        gather(network(small()), small(), nothing, criteria=["l3_norm"])
    with pytest.raises(
        ValueError, match=r"fold 3 has no images .* recalibration_images at least 1"
    ):
        gather(network(small()), small(), nothing, fold=3)


def test_gradients_that_are_no_numbers_are_refused_and_the_modes_put_back():
    parent = network(small()).train()
    parent.backbone.layer4[0].conv1.weight.data[0, 0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"gradients of fold 2 are not numbers in .* layers"):
        gather(parent, small(), part(4), fold=2)
    assert parent.training
