"""A short training of a cut network, taught by its parent: what the cut is worth when it may recover.

The last step counts: were the best epoch chosen on the images that judge, the luckiest curve would
win. All short trainings of a fold see the same batches, so that these don't decide between two cuts;
two of as many samples differ by their channels alone. A network whose loss is no number loses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cxr import numerics, prepared
from cxr.pruning import cutting, fitness, parent
from cxr.pruning.parent import Fold
from cxr.training import distillation, loop, models
from cxr.training.recipe import Distillation, Optimizer


@dataclass(frozen=True, kw_only=True)
class Task:
    """One short training, as a worker receives it."""

    fold: Fold
    """of the parent, teacher and origin of the weights"""
    taught_NL: np.ndarray
    """what the parent says of the recalibration images, see `fitness.taught`"""
    kept: Mapping[str, list[int]]
    """group of channels: the channels kept; groups that are not named stay whole"""
    optimizer: Optimizer
    """in the place of the parent's; its schedule spans the samples, at most a fifth is warm-up"""
    distillation: Distillation
    samples: int
    """images to be shown: whole batches, at least one"""
    seed: int


def train(task: Task) -> dict[str, Any]:
    """Carve, train; return what `fitness.measure` then says, and how many images were shown.

    `diverged` says that a loss or score was no number, and the network therefore lost.
    """
    numerics.exact_torch()
    fold, images = task.fold, prepared.read(task.fold.prepared_folder)
    member, teacher = (models.load(fold.model, fold.number) for _ in range(2))
    network, recipe = member.network, dataclasses.replace(member.recipe, optimizer=task.optimizer)
    cutting.carve(network, recipe, task.kept, images, fold)
    batch = min(recipe.batch_size, len(fold.train_rows))
    steps = max(1, task.samples // batch)
    try:
        fitted = loop.fit(
            network, recipe, train=parent.part(images, fold.train_rows),
            val=_one(parent.part(images, fold.search_val_rows)),
            seed=task.seed, stream=("prune", "brief", fold.number), steps=steps,
            teacher=distillation.Teacher(teacher.network, task.distillation),
        )  # fmt: skip
        network.load_state_dict(fitted.tensors)  # the averaged weights where the recipe averages
        said = fitness.measure(network, recipe, images, fold, task.taught_NL)
    except loop.Diverged:
        said = fitness.lost(images, fold)
    return {**said, "samples": steps * batch, "diverged": said["loss"] is None}


def _one(part: loop.Part) -> loop.Part:
    """Return a single image: the loop judges on something, and `measure` then says more, of all of them."""
    first = np.flatnonzero(~np.isnan(part.labels_NL).all(axis=1))[:1]
    return loop.Part(part.images_NHW[first], part.labels_NL[first])
