"""Trainings fold by fold: each sees its own rows, and a teacher changes nothing but the loss."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from cxr import prepared
from cxr.training import folds, models
from cxr.training.recipe import Distillation
from tests.stages.test_transfer import make_project
from tests.training.recipes import tiny


def test_each_fold_trains_on_its_own_rows_and_never_on_test(tmp_path):
    index, splits = make_project(tmp_path)
    first, second = folds.tasks(tiny(), index, splits, prepared_folder=tmp_path, seed=7)
    assert first.train_rows.tolist() == list(range(16)) and first.val_rows.tolist() == list(
        range(16, 22)
    )
    assert second.fold == 1 and second.train_rows.tolist() == list(range(14, 30))


def test_splits_in_another_order_give_the_same_tasks(tmp_path):
    index, splits = make_project(tmp_path)
    shuffled = splits.iloc[::-1]
    for ours, theirs in zip(
        folds.tasks(tiny(), index, splits, prepared_folder=tmp_path, seed=7),
        folds.tasks(tiny(), index, shuffled, prepared_folder=tmp_path, seed=7),
        strict=True,
    ):
        assert np.array_equal(ours.train_rows, theirs.train_rows)


@pytest.fixture
def task(tmp_path: Path) -> folds.Task:
    """Return the first fold's task, with prepared images of its own."""
    index, splits = make_project(tmp_path)
    recipe = tiny(epochs=1)
    where = tmp_path / "data/prepared"
    return folds.tasks(recipe, index, splits, prepared_folder=where, seed=7)[0]


def _teacher(folder: Path, task: folds.Task, **changes: object) -> Path:
    """Train and keep a model of one fold that teaches; return its folder."""
    other = dataclasses.replace(task, recipe=tiny(epochs=1, **changes), seed=8)
    images = prepared.read(task.prepared_folder)
    labels = ["a", "b"]
    models.save(folder, other.recipe, [folds.fit(other)], labels=labels, size_px=images.size_px)
    return folder


def _same(one: models.Saved, other: models.Saved) -> bool:
    pairs = zip(one.fitted.tensors.values(), other.fitted.tensors.values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_a_teacher_without_a_word_changes_no_byte_and_one_with_a_word_does(tmp_path, task):
    teacher = _teacher(tmp_path / "teacher", task, mean=0.5, std=0.25)
    alone = folds.fit(task)
    silent, heard = (
        folds.fit(dataclasses.replace(task, lesson=folds.Lesson(teacher, settings)))
        for settings in (
            Distillation(weight=0.0, temperature=2.0),
            Distillation(weight=0.9, temperature=2.0),
        )
    )
    assert _same(alone, silent) and not _same(alone, heard)
    assert alone.fitted.history == silent.fitted.history


def test_the_teacher_is_shown_greys_as_it_knows_them(tmp_path, task):
    settings = Distillation(weight=0.5, temperature=2.0)
    teacher = _teacher(tmp_path / "teacher", task, mean=0.5, std=0.25)
    lesson = folds.Lesson(teacher, settings)
    found = folds._teacher(dataclasses.replace(task, lesson=lesson))
    grey = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    own = models.load(teacher, 0).network
    with torch.no_grad():
        wanted = own((grey - 0.5) / 0.25)
    shown = (grey - task.recipe.mean) / task.recipe.std
    assert torch.allclose(found.scores(shown), wanted, atol=1e-5)
