"""A project of one fold and a recipe in which all that draws and all that averages is on."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxr import prepared, seeding
from cxr.training import folds, models
from cxr.training.recipe import Recipe
from tests.training.recipes import TINY, tiny

EVERYTHING: dict[str, Any] = {
    "shards": 4,
    "loss": "bce",
    "class_weights": "balanced",
    "mixup": 0.4,
    "ema_decay": 0.9,
    "head": {**TINY["head"], "dropout": 0.3},
    "backbone_options": {"drop_path_rate": 0.2},
}
PARTS = ["train"] * 26 + ["val"] * 150 + ["calibration"] * 8


def work(folder: Path, recipe: Recipe) -> list[folds.Task]:
    """Lay out prepared images in `folder`, which has to be the current one; return their one fold's task.

    The third label is unknown for some images, so that shards have different numbers of known ones.
    """
    names = [f"toy/{i:03d}.png" for i in range(len(PARTS))]
    index = pd.DataFrame({"image": names, "patient": names, "source": "toy", "view": "",
                          "age_years": np.nan, "sex": ""})  # fmt: skip
    present = np.arange(len(PARTS)) % 2
    index["label:a"], index["label:b"] = present, 1 - present
    index["label:c"] = np.where(np.arange(len(PARTS)) % 3 == 0, np.nan, present)
    rng = seeding.stream(1, "project")
    images = rng.integers(0, 200, size=(len(PARTS), 32, 32), dtype=np.uint8)
    images += (40 * present).astype(np.uint8)[:, None, None]
    prepared.write(folder / "data/prepared", images.__getitem__, index)
    splits = pd.DataFrame({"image": names, "group": names, "fold_0": PARTS})
    return folds.tasks(recipe, index, splits, prepared_folder=Path("data/prepared"), seed=7)


def everything(**changes: Any) -> Recipe:
    """Return the recipe with top-level keys replaced."""
    return tiny(**{**EVERYTHING, **changes})


def digest(saved: models.Saved) -> str:
    """Return what stands for the weights, the curve and the temperature."""
    sha = hashlib.sha256()
    for name in sorted(saved.fitted.tensors):
        sha.update(saved.fitted.tensors[name].numpy().tobytes())
    sha.update(repr(dataclasses.astuple(saved.fitted)[1:]).encode())
    sha.update(repr(saved.temperature).encode())
    return sha.hexdigest()
