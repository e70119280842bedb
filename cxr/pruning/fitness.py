"""What a cut network is worth before any training: cut, made up for, scored on search_val.

Seconds instead of a training (Li et al. 2020, "EagleEye: Fast Sub-net Evaluation for Efficient Neural
Network Pruning"). Beside search_val's word stands how far the network's scores are from its parent's,
which asks for no label. The parent itself is measured the same way, as the network that loses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cxr import manifest, numerics, prepared
from cxr.metrics import auroc, cost
from cxr.pruning import cutting, parent
from cxr.pruning.encoding import Cost
from cxr.pruning.parent import Fold
from cxr.pruning.settings import Fitness
from cxr.training import distillation, loop, losses, models
from cxr.training.network import Network
from cxr.training.recipe import Recipe

LOST = 1e6
"""In the place of a loss or distance that is no number: such a network loses to any other."""
PENALTY = 10.0
"""For each unit of AUROC that a label falls below what is allowed: more than any score is worth."""


@dataclass(frozen=True)
class Task:
    """One candidate, as a worker receives it."""

    fold: Fold
    taught_NL: np.ndarray
    """what the parent says of the recalibration images, see `taught`"""
    kept: Mapping[str, list[int]]
    """group of channels: the channels kept; groups that are not named stay whole"""
    cost: Cost
    """what the parent's layers cost"""


def taught(fold: Fold) -> np.ndarray:
    """Return the parent's raw scores float32 (N, L) of the recalibration images, as it was trained.

    Raises ValueError if one is no number: nothing cut out of such a parent can be judged.
    """
    numerics.exact_torch()
    images = prepared.read(fold.prepared_folder).gather(fold.recalibration_rows)
    member = models.load(fold.model, fold.number)
    raw_NL = loop.raw_scores(member.network, member.recipe, images).numpy()
    if not np.isfinite(raw_NL).all():
        raise ValueError(
            f"{fold.model}, fold {fold.number}: the scores of images of train are not numbers; train "
            "it again with a lower optimizer.learning_rate"
        )
    return raw_NL


def evaluate(task: Task) -> dict[str, Any]:
    """Return what `measure` says of the candidate, and its MACs and parameters."""
    numerics.exact_torch()
    fold, images = task.fold, prepared.read(task.fold.prepared_folder)
    member = models.load(fold.model, fold.number)
    cutting.carve(member.network, member.recipe, task.kept, images, fold)
    said = measure(member.network, member.recipe, images, fold, task.taught_NL)
    costs = {"macs": task.cost.of(member.network), "parameters": cost.parameters(member.network)}
    return {**said, **costs}


def measure(
    network: Network,
    recipe: Recipe,
    images: prepared.Prepared,
    fold: Fold,
    taught_NL: np.ndarray,
) -> dict[str, Any]:
    """Return what a network of the fold's labels is worth, nothing about it changed.

    auroc (macro) and loss (plain) on search_val, `labels` (each label's AUROC there, None where it is
    undefined), and distance: the mean divergence of its scores from the parent's on the recalibration
    images. Where a score is no number: what `lost` says.
    """
    part = parent.part(images, fold.search_val_rows)
    raw = loop.raw_scores(network, recipe, part.images_NHW)
    own = loop.raw_scores(network, recipe, images.gather(fold.recalibration_rows))
    if not bool(torch.isfinite(raw).all() and torch.isfinite(own).all()):
        return lost(images, fold)
    plain = losses.make(recipe.loss, part.labels_NL, class_weights="none", label_smoothing=0.0)
    each_L = auroc.per_label(part.labels_NL, losses.probabilities(raw, recipe.loss).numpy())
    apart = distillation.divergence(torch.from_numpy(taught_NL), own, loss=recipe.loss)
    return {
        "auroc": float(each_L[auroc.defined(part.labels_NL)].mean()),
        "loss": float(plain(raw, torch.from_numpy(part.labels_NL))),
        "distance": float(apart),
        "labels": _by_label(images, part, each_L),
    }


def lost(images: prepared.Prepared, fold: Fold) -> dict[str, Any]:
    """Return what `measure` says of a network whose scores are no numbers: it loses to any other."""
    part = parent.part(images, fold.search_val_rows)
    labels = _by_label(images, part, np.zeros(part.labels_NL.shape[1]))
    return {"auroc": 0.0, "loss": None, "distance": None, "labels": labels}


def _by_label(
    images: prepared.Prepared, part: loop.Part, scores_L: np.ndarray
) -> dict[str, float | None]:
    """Return the scores by label; None of one that all known images have, or none."""
    names, defined_L = manifest.labels(images.index), auroc.defined(part.labels_NL)
    pairs = zip(names, scores_L, defined_L, strict=True)
    return {name: float(score) if known else None for name, score, known in pairs}


def objective(
    found: Mapping[str, Any],
    whole: Mapping[str, Any],
    *,
    fitness: Fitness,
    worst_label: float | None,
) -> float:
    """Return what is minimised, of what was `found` of a candidate and of its `whole` parent.

    With `worst_label` a candidate of which a label's AUROC falls by more pays for it: among
    candidates the ones that keep to it come first, and those that don't by how near they are.
    """
    value = 1.0 - found["auroc"] if fitness == "auroc" else number(found[fitness])
    if worst_label is None:
        return value
    _, fall = worst(found, whole)
    return value + PENALTY * max(0.0, fall - worst_label)


def number(value: float | None) -> float:
    """Return a loss or distance to be minimised; LOST where there is none."""
    return LOST if value is None or not math.isfinite(value) else value


def worst(found: Mapping[str, Any], whole: Mapping[str, Any]) -> tuple[str, float]:
    """Return the label whose AUROC falls most below the parent's, and by how much (negative: it rose).

    The first among equals.
    """
    falls = {
        name: score - found["labels"][name]
        for name, score in whole["labels"].items()
        if score is not None
    }
    name = max(falls, key=falls.__getitem__)
    return name, falls[name]
