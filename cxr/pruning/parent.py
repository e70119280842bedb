"""The model that is pruned, fold by fold, and which images each fold's pruning may see."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cxr import manifest, prepared, seeding
from cxr.metrics import auroc
from cxr.training import calibrating, loop, models


@dataclass(frozen=True)
class Fold:
    """One fold of the parent, as a worker receives it: rows are positions in the prepared images."""

    model: Path
    number: int
    prepared_folder: Path
    train_rows: np.ndarray
    val_rows: np.ndarray
    search_val_rows: np.ndarray
    calibration_rows: np.ndarray
    """the temperature is fitted on them, where the parent's recipe asks for one"""
    recalibration_rows: np.ndarray
    """of train: by them what stays of a cut network is refitted, and BatchNorm measures them"""
    reconstruct: bool
    """whether what stays is refitted to do the work of what goes"""


def part(images: prepared.Prepared, rows: np.ndarray) -> loop.Part:
    """Return the images and labels at `rows`."""
    return loop.Part(images.gather(rows), manifest.label_array(images.index.iloc[rows]))


def folds(
    model: Path,
    prepared_folder: Path,
    splits: pd.DataFrame,
    *,
    recalibration_images: int,
    reconstruct: bool,
    seed: int,
) -> list[Fold]:
    """Return the folds of `model`; at most so many images of train are drawn for recalibration and, if asked for, reconstruction.

    Raises ValueError if the model has other folds than `splits`, if it was trained in part only, if
    search_val or val can't tell good networks from bad ones, and if the recipe asks for a temperature
    that calibration can't give.
    """
    index = prepared.read(prepared_folder).index
    parts = ("train", "val", "search_val", "calibration")
    rows = [prepared.rows(index, splits, part) for part in parts]
    found = models.config(model)["folds"]
    if found != len(rows[0]):
        raise ValueError(
            f"{model} has {found} fold(s), data/splits.csv has {len(rows[0])}: run `dvc repro`"
        )
    recipe = models.recipe(model, 0)
    if recipe.trainable != ["all"]:
        raise ValueError(
            f"{model} was trained with trainable {recipe.trainable}: pruning cuts and fine-tunes every "
            "layer, frozen ones too; prune a run with trainable [all]"
        )
    labels_NL = manifest.label_array(index)
    result = []
    for number, (train, val, search_val, calibration) in enumerate(zip(*rows, strict=True)):
        _check(number, labels_NL, train=train, val=val, search_val=search_val)
        calibrating.check(recipe, labels_NL[calibration], fold=number)
        drawn = seeding.stream(seed, "prune", "recalibration", number).permutation(train)
        result.append(
            Fold(
                model=model, number=number, prepared_folder=prepared_folder, train_rows=train,
                val_rows=val, search_val_rows=search_val, calibration_rows=calibration,
                recalibration_rows=np.sort(drawn[:recalibration_images]), reconstruct=reconstruct,
            )
        )  # fmt: skip
    return result


def _check(fold: int, labels_NL: np.ndarray, *, train: np.ndarray, **judging: np.ndarray) -> None:
    """Raise ValueError if a part of the fold holds too little for what it is used for."""
    if len(train) < 2:
        raise ValueError(
            f"train of fold {fold} has {len(train)} images: give split.fractions.train a share"
        )
    for name, rows in judging.items():
        if not auroc.defined(labels_NL[rows]).any():
            raise ValueError(
                f"{name} of fold {fold} has {len(rows)} images, and no label that is present in some "
                f"and absent in others: give split.fractions.{name} a larger share"
            )
