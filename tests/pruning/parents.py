"""A small parent for pruning tests: prepared images, splits, and a model of two folds."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from cxr import artifacts, backbones, prepared, seeding
from cxr.pruning import encoding, start
from cxr.pruning.judging import Judge
from cxr.pruning.parent import Fold
from cxr.training import loop, models
from cxr.training.network import Network, build
from cxr.training.recipe import Distillation, Optimizer, Recipe
from tests.training.recipes import tiny

SIZE = 32
SMALL = {"backbone": "resnet10t", "backbone_options": {"channels": [8, 16, 24, 32], "stem_width": 16}}  # fmt: skip
WIDE = {"backbone": "resnet10t", "backbone_options": {"channels": [16, 32, 48, 64], "stem_width": 16}}  # fmt: skip
OPTIMIZER = Optimizer(
    learning_rate=1e-3, head_learning_rate=1e-3, weight_decay=0.01, warmup_epochs=0.5
)
DISTILLATION = Distillation(weight=0.5, temperature=2.0)
PARTS = ["train"] * 16 + ["val"] * 6 + ["search_val"] * 6 + ["test"] * 4


def small(**changes: Any) -> Recipe:
    """Return a recipe of a network that is cheap to prune: 9 of its 11 groups have a choice."""
    return tiny(**{**SMALL, **changes})


def wide(**changes: Any) -> Recipe:
    """Return a recipe of a network in which a search has something to choose: 11 groups, all with a choice."""
    return tiny(**{**WIDE, **changes})


def network(recipe: Recipe, *, fold: int = 0) -> Network:
    """Build the recipe's network with two labels, its BatchNorms as if it had been trained."""
    built = build(recipe, labels=2, seed=1, fold=fold)
    for layer in backbones.batch_norms(built):
        generator = seeding.torch_stream(1, "parents", fold, layer.num_features)
        for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
            tensor.data.copy_(torch.rand(layer.num_features, generator=generator) + 0.5)
    return built


def make(folder: Path, recipe: Recipe | None = None, *, folds: int = 2) -> Path:
    """Lay out prepared images, splits and the model `toy` as the earlier stages would; return it."""
    rng = seeding.stream(1, "parents")
    names = [f"toy/{i:03d}.png" for i in range(len(PARTS))]
    index = pd.DataFrame({"image": names, "patient": names, "source": "toy", "view": "", "age_years": np.nan, "sex": ""})  # fmt: skip
    index["label:a"] = np.arange(len(PARTS)) % 2
    index["label:b"] = 1 - index["label:a"]
    bright = 90 * (np.arange(len(PARTS)) % 2)[:, None, None]
    images = rng.integers(0, 160, size=(len(PARTS), SIZE, SIZE)) + bright
    prepared.write(folder / "data/prepared", images.astype(np.uint8).__getitem__, index)
    splits = pd.DataFrame({"image": names, "group": names})
    for fold in range(folds):
        splits[f"fold_{fold}"] = PARTS[::-1] if fold % 2 else PARTS
    artifacts.write_csv(folder / "data/splits.csv", splits)
    return save(folder / "data/models/toy", recipe or small(), folds=folds)


def mislabel(folder: Path, rows: list[int]) -> None:
    """Swap the two labels of the images at `rows`, so that not every decision on them can be right."""
    images = prepared.read(folder / "data/prepared")
    pixels, index = images.gather(np.arange(len(images.index))), images.index.copy()
    index.loc[rows, ["label:a", "label:b"]] = index.loc[rows, ["label:b", "label:a"]].to_numpy()
    prepared.write(folder / "data/prepared", pixels.__getitem__, index)


def save(model: Path, recipe: Recipe, *, folds: int, options: list[dict] | None = None) -> Path:
    """Write a model that nobody trained; `options`: each fold's own, where a search found them."""
    saved = []
    for fold, own in enumerate(options or [recipe.backbone_options] * folds):
        built = network(dataclasses.replace(recipe, backbone_options=own), fold=fold)
        fitted = loop.Fitted(dict(built.state_dict()), best_epoch=0, history=[])
        saved.append(models.Saved(fitted, own, pruning={}, temperature=1.0))
    with artifacts.folder(model) as partial:
        models.save(partial, recipe, saved, labels=["a", "b"], size_px=SIZE)
    return model


def fold(folder: Path) -> Fold:
    """Return the first fold of what `make` laid out."""
    rows = {part: np.flatnonzero(np.array(PARTS) == part) for part in PARTS}
    return Fold(
        folder / "data/models/toy", 0, folder / "data/prepared",
        rows["train"], rows["val"], rows["search_val"], np.zeros(0, int), rows["train"][:8],
        reconstruct=True,
    )  # fmt: skip


def costs(model: Path) -> encoding.Cost:
    """Return what the layers of the model's first network cost."""
    return encoding.costs(models.load(model, 0).network, [], size_px=SIZE)


def turn(model: Path) -> None:
    """Turn the scores of a model of one fold around: what was worse than chance is better than it."""
    member = models.load(model, 0)
    with torch.no_grad():
        member.network.head[-1].weight.neg_()
    fitted = loop.Fitted(dict(member.network.state_dict()), best_epoch=0, history=[])
    saved = models.Saved(fitted, member.recipe.backbone_options, pruning={}, temperature=1.0)
    with artifacts.folder(model) as partial:
        models.save(partial, member.recipe, [saved], labels=["a", "b"], size_px=SIZE)


def begin(
    folder: Path, *, encoding: str = "counts", criterion: str = "l1_norm", multiple: int = 8
) -> start.Start:
    """Make the first fold of what `make` laid out ready to be cut."""
    task = start.Task(
        fold=fold(folder), criterion=criterion, encoding=encoding, multiple=multiple, table=None,
        seed=7,
    )  # fmt: skip
    return start.make(task)


def judge(folder: Path, *starts: start.Start) -> Judge:
    """Return a judge of what is cut out of these folds, its records under `folder`."""
    return Judge(
        starts=starts, optimizer=OPTIMIZER, distillation=DISTILLATION, seed=7,
        folder=folder / "records", words="toy",
    )  # fmt: skip
