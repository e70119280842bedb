"""What a network is worth: trained on small images, its last epoch scored, the same each time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from cxr import backbones, manifest, numerics, params, prepared
from cxr.metrics import auroc
from cxr.search import fitness
from cxr.training import loop, network
from cxr.training.recipe import Recipe
from tests.search.settings import PARTS, TRAINING, make_project

numerics.exact_torch()
ARCHITECTURE = {
    "stem": 4,
    "stages": [{"block": "residual", "width": 8, "depth": 1, "kernel": 3}],
}


@pytest.fixture
def task(tmp_path):
    make_project(tmp_path)
    recipe = {**TRAINING, "backbone_options": ARCHITECTURE, "epochs": 2}
    parts = np.array(PARTS)
    return fitness.Task(
        params.build(Recipe, recipe, where="recipe"), tmp_path / "data/prepared",
        np.flatnonzero(parts == "train"), np.flatnonzero(parts == "search_val"),
        image_px=16, fold=0, seed=7,
    )  # fmt: skip


def test_trained_again_it_scores_the_same_and_its_tensors_fit(task, tmp_path):
    path = tmp_path / "kept.safetensors"
    tensors, result = fitness.retrain((task, path))
    assert result == fitness.evaluate(task)
    assert path.is_file() and fitness.retrain((task, path))[1] == result
    backbone = backbones.create("searched", options=ARCHITECTURE, seed=0, stream=("x",))
    backbone.load_state_dict(tensors)
    assert {"parameters": 1006, "macs": 66_576, "samples": 32}.items() <= result.items()


def test_the_score_is_that_of_the_last_epoch_on_search_val(task):
    images = prepared.read(task.prepared_folder)
    labels_NL = manifest.label_array(images.index)
    built = network.build(task.recipe, labels=2, seed=7, fold=0)
    small = fitness.shrink(images.gather(np.arange(len(labels_NL))), 16)
    train, search_val = (
        loop.Part(small[rows], labels_NL[rows]) for rows in (task.train_rows, task.search_rows)
    )
    fitted = loop.fit(built, task.recipe, train=train, val=search_val, seed=7, stream=("search", 0))
    built.load_state_dict(fitted.tensors)
    assert fitted.best_epoch == 1
    scores = loop.predict(built, task.recipe, search_val.images_NHW)
    found = fitness.evaluate(task)
    assert found["auroc"] == float(auroc.macro(search_val.labels_NL, scores))
    assert found["loss"] == fitted.history[-1].val_loss


def test_another_fold_has_other_first_weights_and_another_seed_too(task):
    found = [
        fitness.evaluate(dataclasses.replace(task, **change))["loss"]
        for change in ({}, {"fold": 1}, {"seed": 8})
    ]
    assert len(set(found)) == 3


def test_fewer_images_than_a_batch_are_shown_whole(task):
    few = dataclasses.replace(task, train_rows=task.train_rows[:5])
    assert fitness.evaluate(few)["samples"] == 2 * 5
    odd = dataclasses.replace(task, train_rows=task.train_rows[:15])
    assert fitness.evaluate(odd)["samples"] == 2 * 8


def test_a_network_that_can_not_be_trained_is_named(task):
    images = prepared.read(task.prepared_folder)
    index = images.index.assign(**{"label:b": 1.0})
    pixels = images.gather(np.arange(len(index)))
    prepared.write(task.prepared_folder, pixels.__getitem__, index)
    with pytest.raises(ValueError, match=r'network \{"stages":.*"stem":4\} of fold 0: loss cross'):
        fitness.evaluate(task)


def test_shrinking_averages_areas_and_leaves_what_has_the_size():
    checkers = (np.indices((3, 32, 32)).sum(axis=0) % 2 * 200).astype(np.uint8)
    assert (fitness.shrink(checkers, 16) == 100).all()
    assert fitness.shrink(checkers, 16).shape == (3, 16, 16)
    assert fitness.shrink(checkers, 32) is checkers


def test_training_leaves_torchs_generator_alone(task):
    before = torch.random.get_rng_state()
    fitness.evaluate(task)
    assert torch.equal(before, torch.random.get_rng_state())
