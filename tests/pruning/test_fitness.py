"""Fitness: cut, recalibrated and scored on search_val, and nothing else is looked at."""

import dataclasses

import numpy as np
import pytest
import torch

from cxr import numerics, prepared
from cxr.metrics import auroc, cost
from cxr.pruning import cutting, fitness
from cxr.training import models
from tests.pruning.parents import SIZE, fold, make, save, small
from tests.training import scored

numerics.exact_torch()


@pytest.fixture
def first(tmp_path):
    make(tmp_path)
    return fold(tmp_path)


def half(first):
    member = models.load(first.model, 0)
    groups = cutting.groups(member.network, size_px=SIZE)
    return {group.name: list(range(0, group.channels, 2)) for group in groups}


def test_it_says_what_the_cut_and_recalibrated_network_scores(first):
    found = fitness.evaluate(fitness.Task(first, half(first)))
    images, member = prepared.read(first.prepared_folder), models.load(first.model, 0)
    cutting.cut(member.network, half(first), size_px=SIZE)
    cutting.recalibrate(member.network, member.recipe, images.gather(first.recalibration_rows))
    labels = np.eye(2, dtype=np.float32)[1 - first.search_val_rows % 2]
    scores = scored.probabilities(
        member.network, member.recipe, images.gather(first.search_val_rows)
    )
    assert found["auroc"] == float(auroc.macro(labels, scores))
    assert found["loss"] == pytest.approx(-np.log((scores * labels).sum(axis=1)).mean(), rel=1e-4)
    assert found["macs"] == cost.macs(member.network, size_px=SIZE)
    assert found["parameters"] == cost.parameters(member.network)


def test_the_whole_parent_can_be_measured_the_same_way(first):
    whole = models.load(first.model, 0).network
    found = fitness.evaluate(fitness.Task(first, {}))
    assert found["macs"] == cost.macs(whole, size_px=SIZE)
    assert found == fitness.evaluate(fitness.Task(first, {}))


def test_other_images_are_not_looked_at(first):
    task = fitness.Task(first, half(first))
    before = fitness.evaluate(task)
    images = prepared.read(first.prepared_folder)
    pixels = images.gather(np.arange(len(images.index)))
    seen = np.union1d(first.search_val_rows, first.recalibration_rows)
    pixels[np.setdiff1d(np.arange(len(pixels)), seen)] = 0
    prepared.write(first.prepared_folder, pixels.__getitem__, images.index)
    assert fitness.evaluate(task) == before
    pixels[seen] = 255 - pixels[seen] // 2
    prepared.write(first.prepared_folder, pixels.__getitem__, images.index)
    assert fitness.evaluate(task) != before


def test_labels_that_combine_and_unknown_ones(first):
    save(first.model, small(loss="bce"), folds=2)
    images = prepared.read(first.prepared_folder)
    index, rows = images.index, first.search_val_rows
    index.loc[rows[:2], "label:b"] = np.nan
    prepared.write(first.prepared_folder, images.gather(np.arange(len(index))).__getitem__, index)
    found = fitness.evaluate(fitness.Task(first, half(first)))
    member = models.load(first.model, 0)
    cutting.cut(member.network, half(first), size_px=SIZE)
    cutting.recalibrate(member.network, member.recipe, images.gather(first.recalibration_rows))
    scores = scored.probabilities(member.network, member.recipe, images.gather(rows)).astype(float)
    labels = np.stack([rows % 2, 1 - rows % 2], axis=1).astype(float)
    each = -np.log(np.where(labels == 1, scores, 1 - scores))
    each[:2, 1] = np.nan
    assert found["loss"] == pytest.approx(np.nanmean(each), rel=1e-4)
    labels[:2, 1] = np.nan
    assert found["auroc"] == pytest.approx(float(auroc.macro(labels, scores)))


def test_a_channel_that_is_not_there_is_told(first):
    with pytest.raises(ValueError, match=r"no group 'backbone\.conv9'"):
        fitness.evaluate(fitness.Task(first, {"backbone.conv9": [0]}))


def test_the_global_generator_is_left_alone(first):
    task = dataclasses.replace(fitness.Task(first, half(first)))
    state = torch.random.get_rng_state()
    before = fitness.evaluate(task)
    torch.rand(3)
    assert fitness.evaluate(task) == before
    torch.random.set_rng_state(state)
