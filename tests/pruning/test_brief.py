"""Short trainings: of the cut network, taught by its parent, as long as they are told and no longer."""

import dataclasses

import numpy as np
import pytest

from cxr import numerics, prepared
from cxr.pruning import brief, cutting, fitness
from cxr.training import distillation, loop, models
from cxr.training.recipe import Distillation
from tests.pruning.parents import DISTILLATION, OPTIMIZER, SIZE, costs, fold, make, save, small

numerics.exact_torch()


@pytest.fixture
def task(tmp_path):
    make(tmp_path)
    first = fold(tmp_path)
    groups = cutting.groups(models.load(first.model, 0).network, size_px=SIZE)
    return brief.Task(
        fold=first, taught_NL=fitness.taught(first),
        kept={group.name: list(range(0, group.channels, 2)) for group in groups},
        optimizer=OPTIMIZER, distillation=DISTILLATION, samples=20, seed=7,
    )  # fmt: skip


def by_hand(task, *, steps):
    """Train as `brief.train` should; return what `measure` says."""
    first, images = task.fold, prepared.read(task.fold.prepared_folder)
    member, teacher = (models.load(first.model, 0) for _ in range(2))
    recipe = dataclasses.replace(member.recipe, optimizer=task.optimizer)
    cutting.carve(member.network, recipe, task.kept, images, first)
    parts = [
        loop.Part(images.gather(rows), np.eye(2, dtype=np.float32)[1 - rows % 2])
        for rows in (first.train_rows, first.search_val_rows)
    ]
    fitted = loop.fit(
        member.network, recipe, train=parts[0], val=parts[1], seed=task.seed,
        stream=("prune", "brief", 0), steps=steps,
        teacher=distillation.Teacher(teacher.network, task.distillation),
    )  # fmt: skip
    member.network.load_state_dict(fitted.tensors)
    said = fitness.measure(member.network, recipe, images, first, task.taught_NL)
    assert said["auroc"] == fitted.history[-1].val_auroc
    return said


def test_it_trains_so_many_images_and_the_last_step_counts(task):
    found = brief.train(task)
    assert (found["samples"], found["diverged"]) == (16, False)  # two whole batches of 8
    assert found == {**by_hand(task, steps=2), "samples": 16, "diverged": False}
    own = costs(task.fold.model)
    cut = fitness.evaluate(fitness.Task(task.fold, task.taught_NL, task.kept, own))
    assert found["loss"] != cut["loss"]
    assert brief.train(dataclasses.replace(task, samples=3))["samples"] == 8


def test_the_averaged_weights_are_judged_where_the_recipe_averages(task):
    save(task.fold.model, small(ema_decay=0.9), folds=2)
    assert brief.train(task)["auroc"] == by_hand(task, steps=2)["auroc"]


def test_the_optimizer_the_teacher_and_the_seed_decide(task):
    found = brief.train(task)
    assert brief.train(task) == found
    others = [
        {"seed": 8},
        {"optimizer": dataclasses.replace(OPTIMIZER, learning_rate=1e-2)},
        {"distillation": Distillation(weight=0.0, temperature=1.0)},
    ]
    for change in others:
        assert brief.train(dataclasses.replace(task, **change))["loss"] != found["loss"]


def test_two_cuts_of_a_fold_see_the_same_batches(task, monkeypatch):
    seen = []
    blend = distillation.Teacher.blend

    def note(self, value, raw, inputs, *, loss):
        seen.append(inputs.clone())
        return blend(self, value, raw, inputs, loss=loss)

    monkeypatch.setattr(distillation.Teacher, "blend", note)
    brief.train(task)
    brief.train(dataclasses.replace(task, kept={}))
    assert len(seen) == 4
    assert all(one.equal(other) for one, other in zip(seen[:2], seen[2:], strict=True))


def test_a_training_that_diverges_loses_and_does_not_end_the_search(task):
    wild = dataclasses.replace(OPTIMIZER, learning_rate=1e30, head_learning_rate=1e30)
    found = brief.train(dataclasses.replace(task, optimizer=wild, samples=64))
    assert found == {
        "auroc": 0.0, "loss": None, "distance": None, "labels": {"a": 0.0, "b": 0.0},
        "samples": 64, "diverged": True,
    }  # fmt: skip


def test_an_image_of_search_val_without_a_known_label_is_no_hindrance(task):
    save(task.fold.model, small(loss="bce"), folds=2)
    images = prepared.read(task.fold.prepared_folder)
    index = images.index
    index.loc[task.fold.search_val_rows[0], ["label:a", "label:b"]] = np.nan
    pixels = images.gather(np.arange(len(index)))
    prepared.write(task.fold.prepared_folder, pixels.__getitem__, index)
    found = brief.train(task)
    assert found["loss"] > 0 and not found["diverged"]


def test_val_and_test_images_are_not_looked_at(task):
    before = brief.train(task)
    images = prepared.read(task.fold.prepared_folder)
    pixels = images.gather(np.arange(len(images.index)))
    seen = np.union1d(task.fold.search_val_rows, task.fold.train_rows)
    pixels[np.setdiff1d(np.arange(len(pixels)), seen)] = 0
    prepared.write(task.fold.prepared_folder, pixels.__getitem__, images.index)
    assert brief.train(task) == before
