"""Distillation: the teacher is heard in the measure of its weight, and never changes itself."""

import hashlib

import numpy as np
import pytest
import torch
from torch import nn

from cxr import numerics, seeding
from cxr.training import loop
from cxr.training.distillation import Teacher, divergence
from cxr.training.network import build
from cxr.training.recipe import Distillation
from tests.training.recipes import TINY, tiny
from tests.training.test_loop import STREAM, bright_or_dark, digest

numerics.exact_torch()
FLAT = {**TINY["augmentation"], "brightness": 0.0}
LOSSES = pytest.mark.parametrize("loss", ["cross_entropy", "bce"])


class Brightness(nn.Module):
    """A perfect teacher for bright (label 0) and dark (label 1), without a parameter."""

    def forward(self, images_B1HW: torch.Tensor) -> torch.Tensor:
        bright_B = images_B1HW.mean(dim=(1, 2, 3))
        return torch.stack([bright_B, -bright_B], dim=1) * 3


def fit(recipe, teacher, *, train: loop.Part | None = None) -> loop.Fitted:
    network = build(recipe, labels=2, seed=1, fold=0)
    train, val = train or bright_or_dark(64, seed=2), bright_or_dark(32, seed=3)
    return loop.fit(network, recipe, train=train, val=val, seed=1, stream=STREAM, teacher=teacher)


def teach(network: nn.Module, *, weight: float, temperature: float = 2.0) -> Teacher:
    return Teacher(network, Distillation(weight=weight, temperature=temperature))


@LOSSES
def test_a_teacher_without_weight_leaves_the_bytes_of_plain_training(loss):
    recipe = tiny(loss=loss)
    plain = fit(recipe, None)
    unheard, heard = (fit(recipe, teach(Brightness(), weight=w)) for w in (0.0, 0.5))
    assert digest(plain) == digest(unheard) != digest(heard)
    assert plain.history == unheard.history


@LOSSES
def test_a_student_that_hears_only_the_teacher_learns_against_wrong_labels(loss):
    train = bright_or_dark(64, seed=2)
    inverted = loop.Part(train.images_NHW, 1 - train.labels_NL)
    recipe = tiny(epochs=4, backbone="resnet10t", loss=loss, augmentation=FLAT)
    assert fit(recipe, None, train=inverted).history[-1].val_auroc < 0.05
    taught = fit(recipe, teach(Brightness(), weight=1.0), train=inverted)
    assert taught.history[-1].val_auroc > 0.95


def test_unknown_labels_are_taught_by_the_teacher():
    train = bright_or_dark(64, seed=2)
    unknown = loop.Part(train.images_NHW, np.full_like(train.labels_NL, np.nan))
    recipe = tiny(epochs=4, backbone="resnet10t", loss="bce", augmentation=FLAT)
    assert fit(recipe, teach(Brightness(), weight=0.5), train=unknown).history[-1].val_auroc > 0.95


def test_the_teacher_stays_as_it_was():
    network = build(tiny(), labels=2, seed=5, fold=0).train()
    before = state(network)
    fit(tiny(epochs=1), teach(network, weight=0.7))
    assert state(network) == before
    assert not any(module.training for module in network.modules())
    assert all(p.grad is None and p.requires_grad for p in network.parameters())


def state(network: nn.Module) -> str:
    sha = hashlib.sha256()
    for tensor in network.state_dict().values():
        sha.update(tensor.numpy().tobytes())
    return sha.hexdigest()


def test_divergence_is_kullback_and_leiblers():
    teacher = torch.tensor([[1.0, -0.5, 0.2], [0.0, 2.0, -1.0]])
    student = torch.tensor([[0.3, 0.1, -0.4], [1.0, 1.0, 0.5]])
    p, q = (x.double().softmax(dim=1) for x in (teacher, student))
    expected = float((p * (p / q).log()).sum(dim=1).mean())
    assert float(divergence(teacher, student, loss="cross_entropy")) == pytest.approx(expected)
    p, q = (x.double().sigmoid() for x in (teacher, student))
    each = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    assert float(divergence(teacher, student, loss="bce")) == pytest.approx(float(each.mean()))


@LOSSES
def test_who_agrees_with_the_teacher_hears_the_labels_alone(loss):
    images = torch.rand(4, 1, 8, 8, generator=seeding.torch_stream(1, "images"))
    network, task = Brightness(), torch.tensor(0.8)
    value = teach(network, weight=0.25).blend(task, network(images), images, loss=loss)
    assert float(value) == pytest.approx(0.75 * 0.8, abs=1e-6)


@LOSSES
def test_the_gradient_keeps_its_size_at_every_high_temperature(loss):
    """Hinton et al. 2015, equation 4: at high T it tends to the difference of the raw scores."""
    images = torch.rand(4, 1, 8, 8, generator=seeding.torch_stream(1, "images"))
    network = Brightness()
    for temperature in (20.0, 200.0):
        student = torch.zeros(4, 2, requires_grad=True)
        blend = teach(network, weight=1.0, temperature=temperature).blend
        blend(torch.tensor(0.0), student, images, loss=loss).backward()
        share = (
            1 / (4 * 2) if loss == "cross_entropy" else 1 / (4 * 2 * 4)
        )  # a sigmoid's slope: 1/4
        expected = -share * network(images)
        assert torch.allclose(student.grad, expected, rtol=1e-2, atol=1e-6)


def test_a_teacher_of_another_normalisation_is_shown_its_own_greys():
    grey = torch.rand(4, 1, 8, 8, generator=seeding.torch_stream(1, "images"))
    settings, network = Distillation(weight=0.5, temperature=2.0), Brightness()
    own, student = (0.5, 0.25), (0.449, 0.226)
    seen, shown = ((grey - mean) / std for mean, std in (own, student))
    teacher = Teacher(network, settings, greys=(student, own))
    assert torch.allclose(teacher.scores(shown), network(seen), atol=1e-6)
    same = Teacher(network, settings, greys=(own, own))
    assert torch.equal(same.scores(seen), network(seen))
    assert not torch.allclose(same.scores(shown), network(seen), atol=1e-2)
