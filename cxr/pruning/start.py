"""One fold's parent made ready to be cut: ranked by every criterion, and what it says as it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cxr import numerics, prepared
from cxr.pruning import candidates, evidence, fitness, latency, parent
from cxr.pruning.candidates import Space
from cxr.pruning.parent import Fold
from cxr.training import models


@dataclass(frozen=True, kw_only=True)
class Task:
    """One fold, as a worker receives it."""

    fold: Fold
    criterion: str
    """of the evolved cut: a file in cxr/pruning/criteria"""
    encoding: str
    """counts or mask"""
    multiple: int
    """where genes count channels: so many go at a time"""
    table: latency.Table | None
    """of what layers take, where the search wants few microseconds too"""
    seed: int


@dataclass(frozen=True, kw_only=True)
class Start:
    """What every search and baseline of a fold starts from."""

    fold: Fold
    space: Space
    taught_NL: np.ndarray
    """the parent's raw scores of the recalibration images"""
    timing: latency.Timing | None
    """what a genome takes by the latency table, where there is one"""


def make(task: Task) -> Start:
    """Gather what the criteria ask for on the recalibration images, which are of train, and rank.

    Raises ValueError where nothing can be pruned, and for a latency table that lacks a layer.
    """
    numerics.exact_torch()
    fold, images = task.fold, prepared.read(task.fold.prepared_folder)
    member = models.load(fold.model, fold.number)
    gathered = evidence.gather(
        member.network, member.recipe, parent.part(images, fold.recalibration_rows),
        seed=task.seed, fold=fold.number, criteria=sorted({task.criterion, *candidates.RANKED}),
    )  # fmt: skip
    space = candidates.space(
        member.network, criterion=task.criterion, encoding=task.encoding,
        multiple=task.multiple, evidence=gathered, size_px=images.size_px,
    )  # fmt: skip
    timing = None
    if task.table is not None:
        timing = latency.bind(task.table, member.network, space.encoding, size_px=images.size_px)
    return Start(fold=fold, space=space, taught_NL=fitness.taught(fold), timing=timing)
