"""What a network is worth: trained on so many small images, its last step scored, the same each time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from cxr import artifacts, backbones, manifest, numerics, params, prepared, seeding
from cxr.metrics import auroc, cost
from cxr.search import fitness
from cxr.search.proxies import naswot
from cxr.search.settings import Training
from cxr.training import loop, network
from tests.search.settings import PARTS, TRAINING, make_project
from tests.training import scored

numerics.exact_torch()
ARCHITECTURE = {
    "family": "cells", "resolution": 100, "stem": 8, "stem_stride": 2, "activation": "relu", "norm": "batch",
    "down": "stride", "pool": "gap", "hidden": [],
    "stages": [{"block": "residual", "width": 8, "depth": 1, "kernel": 3, "se": False}],
}  # fmt: skip
NETWORK = artifacts.canonical_json(ARCHITECTURE)


def make_task(folder, **changes):
    parts = np.array(PARTS)
    rows = [np.flatnonzero(parts == part) for part in ("train", "search_val", "val")]
    task = fitness.Task(
        recipe=params.build(Training, {**TRAINING, **changes}, where="training").recipe(),
        prepared_folder=folder / "data/prepared",
        train_rows=rows[0], search_rows=rows[1], val_rows=rows[2],
        image_px=16, fold=0, seed=7, samples=0, draws="",
    )  # fmt: skip
    return fitness.given(task, NETWORK, samples=24, draws="search")


@pytest.fixture
def task(tmp_path):
    make_project(tmp_path)
    return make_task(tmp_path)


def test_the_score_is_that_of_the_last_step_on_search_val(task):
    images = prepared.read(task.prepared_folder)
    labels_NL = manifest.label_array(images.index)
    seed = seeding.key(7, "search", "search")
    built = network.build(task.recipe, labels=2, seed=seed, fold=0)
    small = fitness.shrink(images.gather(np.arange(len(labels_NL))), 16)
    train, search_val = (
        loop.Part(small[rows], labels_NL[rows]) for rows in (task.train_rows, task.search_rows)
    )
    fitted = loop.fit(
        built, task.recipe, train=train, val=search_val, seed=seed, stream=("search", 0), steps=3
    )
    built.load_state_dict(fitted.tensors)
    scores = scored.probabilities(built, task.recipe, search_val.images_NHW)
    found = fitness.evaluate(task)
    assert found["auroc"] == float(auroc.macro(search_val.labels_NL, scores))
    assert found["loss"] == fitted.history[-1].val_loss
    assert (found["samples"], found["diverged"]) == (24, False)


def test_costs_are_those_of_the_built_network_at_the_prepared_size(task):
    for name in (NETWORK, "resnet10t"):
        own = fitness.given(task, name, samples=8, draws="x")
        built = network.build(own.recipe, labels=2, seed=0, fold=0)
        found = fitness.evaluate(own)
        assert found["parameters"] == cost.parameters(built)
        assert found["macs"] == cost.macs(built, size_px=32)
        assert found["activation_bytes"] == cost.activation_bytes(built, size_px=32)


def test_a_timm_network_is_trained_from_scratch(task):
    weights = params.build(
        Training, {**TRAINING, "weights": {"file": "no", "sha256": "no"}}, where="x"
    )
    task = dataclasses.replace(task, recipe=weights.recipe())
    own = fitness.given(task, "resnet10t", samples=8, draws="x")
    assert (own.recipe.backbone, own.recipe.weights) == ("resnet10t", None)
    assert own.recipe.backbone_options == {}
    assert fitness.given(task, NETWORK, samples=8, draws="x").recipe.weights == weights.weights


def test_tensors_are_those_of_the_same_training_and_fit(task):
    tensors, result = fitness.tensors(task)
    assert result == fitness.evaluate(task)
    backbone = backbones.create("searched", options=ARCHITECTURE, seed=0, stream=("x",))
    backbone.load_state_dict(tensors)


def test_another_fold_seed_or_name_of_draws_is_another_training(task):
    changes = ({}, {"fold": 1}, {"seed": 8}, {"draws": "finalist 0"})
    found = [fitness.evaluate(dataclasses.replace(task, **change))["loss"] for change in changes]
    assert len(set(found)) == 4


def test_samples_are_whole_batches_and_at_least_one(task):
    def seen(images, samples):
        few = dataclasses.replace(task, train_rows=task.train_rows[:images], samples=samples)
        return fitness.evaluate(few)["samples"]

    assert [seen(16, samples) for samples in (1, 8, 23, 24)] == [8, 8, 16, 24]
    assert seen(5, 11) == 10  # batches of 8 can't be had


def test_a_finalist_is_judged_on_val_too_which_changes_nothing_else(task):
    found = fitness.finalist(task)
    assert {key: value for key, value in found.items() if not key.startswith("val_")} == (
        fitness.evaluate(task)
    )
    assert 0 <= found["val_auroc"] <= 1 and 0 <= found["val_accuracy"] <= 1
    same = dataclasses.replace(task, val_rows=task.search_rows)
    found = fitness.finalist(same)
    assert (found["val_auroc"], found["val_accuracy"]) == (found["auroc"], found["accuracy"])


@pytest.mark.parametrize("images", [0, 1])
def test_where_val_can_not_say_it_says_nothing(task, images):
    few = fitness.finalist(dataclasses.replace(task, val_rows=task.val_rows[:images]))
    assert few["val_auroc"] is None
    assert (few["val_accuracy"] is None) == (images == 0)


@pytest.mark.parametrize("samples", [8, 40])
def test_a_network_whose_loss_is_no_number_loses(tmp_path, samples):
    make_project(tmp_path)
    wild = {"learning_rate": 1e30, "head_learning_rate": 1e30, "weight_decay": 0.0, "warmup_epochs": 0.0}  # fmt: skip
    task = dataclasses.replace(make_task(tmp_path, optimizer=wild), samples=samples)
    found = fitness.evaluate(task)
    lost = {"auroc": 0.0, "accuracy": 0.0, "loss": None, "diverged": True, "samples": samples}
    assert lost.items() <= found.items() and found["macs"] > 0
    artifacts.canonical_json(found)  # it can stand on record
    assert fitness.finalist(task) == {**found, "val_auroc": None, "val_accuracy": None}
    with pytest.raises(ValueError, match=r"of fold 0 diverged: lower training\.optimizer"):
        fitness.tensors(task)


def test_a_network_that_can_not_be_trained_is_named(task):
    images = prepared.read(task.prepared_folder)
    index = images.index.assign(**{"label:b": 1.0})
    pixels = images.gather(np.arange(len(index)))
    prepared.write(task.prepared_folder, pixels.__getitem__, index)
    with pytest.raises(
        ValueError, match=r'network searched \{.*"stem":8.*\} of fold 0: loss cross'
    ):
        fitness.evaluate(task)


def test_images_are_read_once_in_a_process_and_again_when_written_anew(task, monkeypatch):
    read, opened = prepared.read, []
    monkeypatch.setattr(prepared, "read", lambda folder: opened.append(folder) or read(folder))
    before = [fitness.evaluate(dataclasses.replace(task, fold=fold))["loss"] for fold in (0, 1)]
    assert len(opened) == 1
    images = read(task.prepared_folder)
    pixels = 255 - images.gather(np.arange(len(PARTS)))
    prepared.write(task.prepared_folder, pixels.__getitem__, images.index)
    assert fitness.evaluate(task)["loss"] != before[0]
    assert len(opened) == 2


def test_images_of_the_wanted_size_are_taken_as_they_are(task):
    assert fitness._opened(dataclasses.replace(task, image_px=32))[2] is None
    found = fitness._part(dataclasses.replace(task, image_px=32), task.val_rows)
    images = prepared.read(task.prepared_folder)
    assert np.array_equal(found.images_NHW, images.gather(task.val_rows))


def test_shrinking_averages_areas():
    checkers = (np.indices((3, 32, 32)).sum(axis=0) % 2 * 200).astype(np.uint8)
    assert (fitness.shrink(checkers, 16) == 100).all()
    assert fitness.shrink(checkers, 16).shape == (3, 16, 16)


def test_proxies_say_something_finite_of_every_network_and_the_same_each_time(task):
    first = fitness.proxies(task, ("macs", "naswot", "parameters"))
    assert first == fitness.proxies(task, ("macs", "naswot", "parameters"))
    assert list(first) == ["macs", "naswot", "parameters"]
    assert first["macs"] == fitness.evaluate(task)["macs"]


def test_a_proxy_without_a_finite_word_is_none(task, monkeypatch):
    monkeypatch.setattr(naswot, "score", lambda *_: float("nan"))
    assert fitness.proxies(task, ("naswot",)) == {"naswot": None}


def test_training_leaves_torchs_generator_alone(task):
    before = torch.random.get_rng_state()
    fitness.evaluate(task)
    assert torch.equal(before, torch.random.get_rng_state())
