"""Fine-tune a pruned network, taught by the network it was cut out of, and calibrate it anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cxr import numerics, prepared
from cxr.pruning import cutting, parent
from cxr.pruning.parent import Fold
from cxr.training import calibrating, distillation, loop, models, records
from cxr.training.network import Network
from cxr.training.recipe import Distillation, Recipe


@dataclass(frozen=True)
class Task:
    """One fine-tuning, as a worker receives it."""

    fold: Fold
    """of the parent, teacher and origin of the weights"""
    kept: Mapping[str, list[int]]
    """group of channels: the channels kept; groups that are not named stay whole"""
    recipe: Recipe
    """the parent's, with the epochs and the optimizer of fine-tuning"""
    distillation: Distillation
    seed: int
    record: Path
    """where the result is kept until the stage is done"""


def fine_tune(task: Task) -> models.Saved:
    """Carve and train one fold's network; take it from its record where there is one.

    Its temperature is fitted on the images that gave the parent's, if the recipe asks for one.

    Two networks of one fold see the same batches in the same order: they differ by their channels.
    """
    return records.kept(task.record, lambda: _fine_tune(task))


def _fine_tune(task: Task) -> models.Saved:
    numerics.exact_torch()
    student, parents = (models.load(task.fold.model, task.fold.number).network for _ in range(2))
    return train(task, student, distillation.Teacher(parents, task.distillation))


def train(task: Task, student: Network, teacher: distillation.Teacher) -> models.Saved:
    """Carve and train `student`, of the parent's shape, in place."""
    fold = task.fold
    images = prepared.read(fold.prepared_folder)
    cutting.carve(student, task.recipe, task.kept, images, fold)
    fitted = loop.fit(
        student, task.recipe,
        train=parent.part(images, fold.train_rows), val=parent.part(images, fold.val_rows),
        seed=task.seed, stream=("finish", fold.number), teacher=teacher,
    )  # fmt: skip
    temperature = calibrating.temperature(
        student, task.recipe, fitted.tensors, images, fold.calibration_rows
    )
    pruning = {group: list(channels) for group, channels in task.kept.items()}
    return models.Saved(fitted, task.recipe.backbone_options, pruning, temperature)
