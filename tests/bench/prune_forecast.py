"""How long a seed of `make bench-prune` may take: from a first step of each kind, measured in the project.

A network of the parent's shape that nobody trained stands in for the parent: it takes as long.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cxr import artifacts, manifest, numerics, params, prepared, workers
from cxr.pruning import baselines, brief, candidates, fitness, methods, parent, sensitivity, start
from cxr.training import loop, models, network
from cxr.training.recipe import Recipe
from stages import finish, prune
from tests.bench.prune_data import RUN, SHOWN

_SAMPLES = 128
"""Images of a measured training."""


@dataclass(frozen=True)
class Pace:
    """What the pieces of a seed take in one process, in seconds, and how many there are."""

    parents_s: float
    """the training of all folds' parents"""
    judged_s: float
    """cutting, recalibrating and judging one network"""
    judged: int
    """networks that the searches and baselines ask for, at most"""
    brief_s: float
    """one short training"""
    briefs: int
    tuned_s: float
    """one fine-tuning, the mean over the shares"""
    tunings: int
    folds: int

    @property
    def seconds(self) -> float:
        """The whole seed's, with as many processes as there are; the parents' are one per fold."""
        pieces = (
            self.judged_s * self.judged + self.brief_s * self.briefs + self.tuned_s * self.tunings
        )
        return self.parents_s / min(workers.count(), self.folds) + pieces / workers.count()

    def line(self) -> str:
        """Say it."""
        return (
            f"{self.folds} parent(s) {self.parents_s / 60:.1f} min, {self.judged:,} networks judged at "
            f"{self.judged_s:.2f} s, {self.briefs} short trainings at {self.brief_s:.1f} s, "
            f"{self.tunings} fine-tunings at {self.tuned_s:.0f} s"
        )


def measure(project: Path) -> Pace:
    """Time one piece of each kind in a project folder, by its own recipes."""
    numerics.exact_torch()
    path = project / "params.yaml"
    recipe = params.load(Recipe, f"transfer.recipes.{RUN}", path=path)
    settings = params.load(prune.Params, f"prune.recipes.{RUN}", path=path)
    finishing = params.load(finish.Params, f"finish.recipes.{RUN}", path=path)
    with tempfile.TemporaryDirectory() as folder:
        fold, folds = _untrained(project, Path(folder) / RUN, recipe, settings)
        begin = start.make(
            start.Task(
                fold=fold,
                criterion=settings.criterion,
                encoding=settings.encoding,
                multiple=settings.multiple,
                table=None,
                seed=0,
            )
        )
        judged_s, slope_s = _cuts(begin, settings)
    parent_s = _training(project, fold, recipe)
    counts = _counts(begin, settings, folds=folds)
    images = len(fold.train_rows)
    return Pace(
        parents_s=folds * recipe.epochs * images * parent_s,
        judged_s=judged_s, brief_s=judged_s + settings.contest.samples * slope_s,
        tuned_s=judged_s + finishing.epochs * images * slope_s,
        folds=folds, **counts,
    )  # fmt: skip


def of_validity(pace: Pace, *, networks: int) -> Pace:
    """Return what so many random networks take: each judged, trained briefly and fine-tuned twice."""
    return dataclasses.replace(pace, judged=networks, briefs=networks, tunings=2 * networks)


def _untrained(
    project: Path, model: Path, recipe: Recipe, settings: prune.Params
) -> tuple[parent.Fold, int]:
    """Write a parent that nobody trained; return its first fold and the number of folds."""
    images = prepared.read(project / "data/prepared")
    splits = artifacts.read_csv(project / "data/splits.csv")
    labels = manifest.labels(images.index)
    folds = sum(name.startswith("fold_") for name in splits.columns)
    built = network.build(recipe, labels=len(labels), seed=0, fold=0, pretrained=False)
    fitted = loop.Fitted(dict(built.state_dict()), best_epoch=0, history=[])
    saved = models.Saved(fitted, recipe.backbone_options, pruning={}, temperature=1.0)
    with artifacts.folder(model) as partial:
        models.save(partial, recipe, [saved] * folds, labels=labels, size_px=images.size_px)
    found = parent.folds(
        model, project / "data/prepared", splits,
        recalibration_images=settings.recalibration_images, reconstruct=settings.reconstruct,
        seed=0,
    )  # fmt: skip
    return found[0], folds


def _cuts(begin: start.Start, settings: prune.Params) -> tuple[float, float]:
    """Return the seconds of judging a cut, and of each image that it is trained on; means over shares."""
    judged, slopes = list[float](), list[float]()
    for share in settings.shares:
        encoding = begin.space.ranked["l1_norm"]
        genome = baselines.uniform(encoding, macs=candidates.limit(begin.space, share))
        kept = encoding.kept(genome)
        task = fitness.Task(begin.fold, begin.taught_NL, kept, encoding.cost)
        if not judged:
            fitness.evaluate(task)  # loads what is loaded late
        judged.append(_timed(fitness.evaluate, task)[0])
        training = brief.Task(
            fold=begin.fold, taught_NL=begin.taught_NL, kept=kept, optimizer=settings.optimizer,
            distillation=settings.distillation, samples=_SAMPLES, seed=0,
        )  # fmt: skip
        seconds, said = _timed(brief.train, training)
        slopes.append(max(0.0, seconds - judged[-1]) / said["samples"])
    return float(np.mean(judged)), float(np.mean(slopes))


def _training(project: Path, fold: parent.Fold, recipe: Recipe) -> float:
    """Return the seconds of each image that a parent is trained on."""
    images = prepared.read(project / "data/prepared")
    train = parent.part(images, fold.train_rows[:_SAMPLES])
    val = parent.part(images, fold.val_rows[:1])
    labels = train.labels_NL.shape[1]
    built = network.build(recipe, labels=labels, seed=0, fold=0, pretrained=False)
    batch = min(recipe.batch_size, len(train.images_NHW))
    steps = max(1, _SAMPLES // batch)

    def fit(_: None) -> loop.Fitted:
        return loop.fit(
            built, recipe, train=train, val=val, seed=0, stream=("forecast",), steps=steps
        )

    return _timed(fit, None)[0] / (steps * batch)


def _counts(begin: start.Start, settings: prune.Params, *, folds: int) -> dict[str, int]:
    """Return how many pieces of each kind a seed has, at most."""
    searches = folds * len(settings.shares)
    alone = 1 + len(sensitivity.asked(begin.space.ranked["l1_norm"]))
    entries = settings.contest.evolved + len(methods.METHODS) - 1
    climb = settings.survivors.networks * settings.generations if settings.survivors else 0
    return {
        "judged": folds * alone + searches * (settings.population * settings.generations + entries),
        "briefs": searches * (entries + climb),
        # what is handed over is a training of another's
        "tunings": searches * (len(SHOWN) - 1) + folds,  # and the parents themselves
    }


def _timed(function: Callable[[Any], Any], item: Any) -> tuple[float, Any]:
    begin = time.perf_counter()
    found = function(item)
    return time.perf_counter() - begin, found
