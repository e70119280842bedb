"""One training for each fold of the split: what a worker is told, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cxr import artifacts, manifest, numerics, prepared
from cxr.training import calibrating, distillation, loop, models, network
from cxr.training.recipe import Distillation, Recipe
from cxr.training.sharded.team import Team


@dataclass(frozen=True)
class Lesson:
    """Who teaches, and how much."""

    teacher: Path
    """a model with as many folds: the network of a fold teaches that fold"""
    settings: Distillation


@dataclass(frozen=True)
class Task:
    """One fold's training, as a worker receives it: rows are positions in the prepared images."""

    recipe: Recipe
    prepared_folder: Path
    labels_NL: np.ndarray
    train_rows: np.ndarray
    val_rows: np.ndarray
    calibration_rows: np.ndarray
    """seen once the weights are chosen, and only if the recipe says temperature"""
    fold: int
    seed: int
    start: Path | None = None
    """the backbone's tensors to start from, where a search left them"""
    lesson: Lesson | None = None


def tasks(
    recipe: Recipe, index: pd.DataFrame, splits: pd.DataFrame, *, prepared_folder: Path, seed: int
) -> list[Task]:
    """Return one training task per fold; `index` lists the prepared images in their order.

    Raises ValueError if the recipe asks for a temperature and a fold has no image to fit it on.
    """
    labels_NL = manifest.label_array(index)
    parts = [prepared.rows(index, splits, part) for part in ("train", "val", "calibration")]
    for fold, rows in enumerate(parts[-1]):
        calibrating.check(recipe, labels_NL[rows], fold=fold)
    return [
        Task(recipe, prepared_folder, labels_NL, train, val, calibration, fold, seed)
        for fold, (train, val, calibration) in enumerate(zip(*parts, strict=True))
    ]


def fit(task: Task, team: Team | None = None) -> models.Saved:
    """Build, fit and calibrate one fold's network; the same bytes in any process, and in any team.

    Two tasks that differ by their lesson alone start from the same weights and see the same batches.
    """
    numerics.exact_torch()
    recipe, images = task.recipe, prepared.read(task.prepared_folder)
    built = network.build(recipe, labels=task.labels_NL.shape[1], seed=task.seed, fold=task.fold)
    if task.start is not None:
        built.backbone.load_state_dict(artifacts.read_tensors(task.start))
    train, val = (
        loop.Part(images.gather(rows), task.labels_NL[rows])
        for rows in (task.train_rows, task.val_rows)
    )
    network.start(built, recipe, train.labels_NL)
    fitted = loop.fit(
        built, recipe, train=train, val=val, seed=task.seed, stream=("transfer", task.fold),
        teacher=_teacher(task) if task.lesson else None, team=team,
    )  # fmt: skip
    temperature = calibrating.temperature(
        built, recipe, fitted.tensors, images, task.calibration_rows
    )
    return models.Saved(fitted, recipe.backbone_options, {}, temperature)


def _teacher(task: Task) -> distillation.Teacher:
    assert task.lesson is not None
    member, recipe = models.load(task.lesson.teacher, task.fold), task.recipe
    greys = (recipe.mean, recipe.std), (member.recipe.mean, member.recipe.std)
    return distillation.Teacher(member.network, task.lesson.settings, greys=greys)
