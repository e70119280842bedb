"""Fitting: it learns, it repeats to the bit, val chooses the epoch, and nothing else is looked at."""

import hashlib

import numpy as np
import pytest
import torch

from cxr import artifacts, numerics, seeding
from cxr.training import distillation, loop
from cxr.training.network import build
from cxr.training.recipe import Distillation
from tests.training import scored
from tests.training.recipes import TINY, tiny

numerics.exact_torch()
STREAM = ("test", 0)


def bright_or_dark(images: int, *, seed: int) -> loop.Part:
    """Images whose class is their brightness: anything that learns at all learns this."""
    rng = seeding.stream(seed, "toy")
    dark = rng.random(images) < 0.5
    base = rng.integers(0, 120, size=(images, 32, 32)) + np.where(dark, 0, 120)[:, None, None]
    return loop.Part(base.astype(np.uint8), np.eye(2, dtype=np.float32)[dark.astype(int)])


def fit(
    recipe, *, seed: int = 1, val: loop.Part | None = None, steps: int | None = None
) -> loop.Fitted:
    network = build(recipe, labels=2, seed=seed, fold=0)
    val = val or bright_or_dark(32, seed=3)
    return loop.fit(
        network, recipe, train=bright_or_dark(64, seed=2), val=val, seed=seed, stream=STREAM, steps=steps
    )  # fmt: skip


def digest(fitted: loop.Fitted) -> str:
    sha = hashlib.sha256()
    for name in sorted(fitted.tensors):
        sha.update(fitted.tensors[name].numpy().tobytes())
    return sha.hexdigest()


SEARCHED = {
    "family": "cells", "resolution": 100, "stem": 8, "stem_stride": 2, "activation": "relu", "norm": "batch",
    "down": "stride", "pool": "gap", "hidden": [],
    "stages": [{"block": "plain", "width": 16, "depth": 1, "kernel": 3, "se": False}],
}  # fmt: skip


@pytest.mark.parametrize(("backbone", "options"), [("resnet10t", {}), ("searched", SEARCHED)])
def test_it_learns_brightness(backbone, options):
    flat = {**TINY["augmentation"], "brightness": 0.0}
    recipe = tiny(epochs=4, backbone=backbone, backbone_options=options, augmentation=flat)
    history = fit(recipe).history
    assert history[-1].val_auroc > 0.95
    assert history[-1].train_loss < history[0].train_loss


def test_same_seed_same_bits_other_seed_other_bits():
    first, again, other = fit(tiny()), fit(tiny()), fit(tiny(), seed=2)
    assert digest(first) == digest(again) != digest(other)
    assert first.history == again.history


GOLDEN = [
    ({}, {}, "fc4e03bbdcc7d87c"),
    ({"trainable": ["head", "conv_head", "bn2", "blocks.6"], "ema_decay": 0.9}, {}, "6b51ad7b6accb75c"),
    ({"ema_decay": 0.9}, {"steps": 13}, "7151d90fd218c034"),
    ({"backbone": "searched", "backbone_options": SEARCHED, "trainable": ["head", "stage0"]}, {}, "8c4f659b9e6cae54"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "length", "wanted"), GOLDEN)
def test_the_weights_are_those_that_they_always_were(changes, length, wanted):
    """With the versions in numerics.lock on x86-64 with AVX2, of which `make doctor` tells."""
    assert digest(fit(tiny(**changes), **length))[:16] == wanted


def test_a_draw_from_the_global_generator_changes_nothing():
    first = digest(fit(tiny()))
    torch.rand(7)
    assert digest(fit(tiny())) == first


def test_val_chooses_the_epoch_and_patience_stops():
    noise = bright_or_dark(32, seed=3)
    inverted = loop.Part(noise.images_NHW, 1 - noise.labels_NL)
    flat = {**TINY["augmentation"], "brightness": 0.0}
    stop = {"monitor": "loss", "patience": 2}
    fitted = fit(tiny(epochs=12, early_stopping=stop, augmentation=flat), val=inverted)
    losses = [line.val_loss for line in fitted.history]
    assert fitted.best_epoch == int(np.argmin(losses))
    assert len(fitted.history) == fitted.best_epoch + 3 < 12


def test_last_keeps_the_last_epoch_and_never_stops_early():
    noise = bright_or_dark(32, seed=3)
    inverted = loop.Part(noise.images_NHW, 1 - noise.labels_NL)
    flat = {**TINY["augmentation"], "brightness": 0.0}
    last = {"monitor": "last", "patience": 0}
    recipe = tiny(epochs=6, early_stopping=last, augmentation=flat)
    fitted = fit(recipe, val=inverted)
    assert int(np.argmin([line.val_loss for line in fitted.history])) < 5
    assert fitted.best_epoch == 5 and len(fitted.history) == 6
    assert digest(fitted) == digest(fit(recipe))  # whatever val says


def test_a_metric_that_is_undefined_keeps_the_first_epoch_with_its_weights():
    part = bright_or_dark(32, seed=3)
    alike = loop.Part(part.images_NHW, np.eye(2, dtype=np.float32)[np.zeros(32, int)])
    stop = {"monitor": "auroc", "patience": 1}
    fitted = fit(tiny(epochs=3, early_stopping=stop), val=alike)
    assert (fitted.best_epoch, len(fitted.history)) == (0, 2)
    start = build(tiny(), labels=2, seed=1, fold=0).state_dict()
    assert not torch.equal(start["head.1.weight"], fitted.tensors["head.1.weight"])


@pytest.mark.parametrize("monitor", ["loss", "last"])
def test_kept_weights_are_those_of_the_best_epoch(monitor):
    val = bright_or_dark(32, seed=3)
    recipe = tiny(epochs=3, early_stopping={"monitor": monitor, "patience": 5})
    fitted = fit(recipe, val=val)
    network = build(recipe, labels=2, seed=1, fold=0)
    network.load_state_dict(fitted.tensors)
    probability = (scored.probabilities(network, recipe, val.images_NHW) * val.labels_NL).sum(
        axis=1
    )
    expected = fitted.history[fitted.best_epoch].val_loss
    assert -np.log(probability).mean() == pytest.approx(expected, rel=1e-4)


def test_averaged_weights_differ_from_the_last_ones():
    assert digest(fit(tiny(ema_decay=0.9))) != digest(fit(tiny()))


def test_frozen_backbone_stays_as_it_was():
    recipe = tiny(trainable=["head"])
    start = build(recipe, labels=2, seed=1, fold=0).state_dict()
    kept = fit(recipe).tensors
    assert all(
        torch.equal(start[name], kept[name]) for name in start if name.startswith("backbone")
    )
    assert not torch.equal(start["head.1.weight"], kept["head.1.weight"])


def test_an_empty_part_is_refused():
    empty = loop.Part(np.zeros((0, 32, 32), np.uint8), np.zeros((0, 2), np.float32))
    with pytest.raises(
        ValueError, match=r"train and val need at least one image.*split\.fractions"
    ):
        fit(tiny(), val=empty)


def test_a_loss_that_explodes_is_reported_with_the_cure():
    wild = {
        **TINY["optimizer"],
        "learning_rate": 1e30,
        "head_learning_rate": 1e30,
        "warmup_epochs": 0.0,
    }
    with pytest.raises(ValueError, match=r"not a number in epoch .*learning_rate"):
        fit(tiny(epochs=6, optimizer=wild))


def test_multilabel_training_learns_and_ignores_unknown_labels():
    flat = {**TINY["augmentation"], "brightness": 0.0}
    recipe = tiny(
        epochs=4, backbone="resnet10t", loss="bce", class_weights="balanced", augmentation=flat
    )
    val = bright_or_dark(32, seed=3)
    val.labels_NL[:3, 0] = np.nan
    history = fit(recipe, val=val).history
    assert history[-1].val_auroc > 0.95 and history[-1].val_accuracy > 0.9


def test_multilabel_probabilities_are_independent():
    network = build(tiny(loss="bce"), labels=2, seed=1, fold=0)
    scores = scored.probabilities(network, tiny(loss="bce"), bright_or_dark(4, seed=1).images_NHW)
    assert scores.shape == (4, 2) and scores.dtype == np.float32
    assert not np.allclose(scores.sum(axis=1), 1.0)
    assert artifacts.canonical_json(scores.tolist()) == artifacts.canonical_json(scores.tolist())


def test_whole_epochs_given_in_steps_are_the_same_training_but_for_the_curve():
    last = tiny(epochs=3, early_stopping={"monitor": "last", "patience": 1},
                optimizer={**TINY["optimizer"], "warmup_epochs": 0.25})  # fmt: skip
    by_epochs, by_steps = fit(last), fit(last, steps=3 * 8)
    assert digest(by_epochs) == digest(by_steps)
    assert by_steps.history == by_epochs.history[-1:]


@pytest.mark.parametrize(("steps", "epochs"), [(1, 1), (3, 1), (8, 1), (13, 2)])
def test_steps_are_counted_exactly_and_the_schedule_spans_them(monkeypatch, steps, epochs):
    asked = []
    factor = loop.schedules.warmup_cosine

    def seen(step, *, steps, warmup):
        asked.append((step, steps, warmup))
        return factor(step, steps=steps, warmup=warmup)

    monkeypatch.setattr(loop.schedules, "warmup_cosine", seen)
    recipe = tiny(epochs=1, optimizer={**TINY["optimizer"], "warmup_epochs": 2.0})
    fitted = fit(recipe, steps=steps)
    assert asked == [(step, steps, steps // 5) for step in range(steps)]  # 16 of warm-up, clamped
    assert [line.epoch for line in fitted.history] == [epochs - 1] == [fitted.best_epoch]


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="at least 1 step, not 0"):
        fit(tiny(), steps=0)


@pytest.mark.parametrize("steps", [1, 9])
def test_a_network_that_diverges_in_its_last_step_is_told_too(steps):
    wild = {
        "learning_rate": 1e30,
        "head_learning_rate": 1e30,
        "weight_decay": 0.0,
        "warmup_epochs": 0.0,
    }
    with pytest.raises(loop.Diverged):
        fit(tiny(optimizer=wild), steps=steps)


def test_a_teacher_is_refused_what_it_cannot_see():
    recipe = tiny(trainable=["head"], frozen_views=1)
    network, teacher = (build(recipe, labels=2, seed=seed, fold=0) for seed in (1, 2))
    part = bright_or_dark(16, seed=2)
    with pytest.raises(ValueError, match=r"teacher has to see images.*frozen_views: 0"):
        loop.fit(
            network, recipe, train=part, val=part, seed=1, stream=STREAM,
            teacher=distillation.Teacher(teacher, Distillation(weight=0.5, temperature=2.0)),
        )  # fmt: skip


def test_mix_up_changes_the_training_and_is_the_same_each_time():
    plain, mixed, again = (fit(tiny(mixup=alpha)) for alpha in (0.0, 0.4, 0.4))
    assert digest(plain) != digest(mixed) == digest(again)
    assert mixed.history[0].train_loss != plain.history[0].train_loss


def test_kept_features_are_mixed_as_images_are():
    frozen = {"trainable": ["head"], "frozen_views": 1}
    plain, mixed = (fit(tiny(**frozen, mixup=alpha)) for alpha in (0.0, 0.4))
    assert digest(plain) != digest(mixed)
