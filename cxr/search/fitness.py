"""How good a network is after a short training from scratch on small images: what the search compares.

The last epoch counts: were the best epoch chosen on the images that rank the networks, the luckiest
curve would win. Order of images, augmentation and the draws of the first weights are the same for
all networks of a fold, so that these don't decide between two of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cxr import artifacts, manifest, numerics, prepared, scratch
from cxr.metrics import cost
from cxr.training import batches, loop, network
from cxr.training.recipe import Recipe


@dataclass(frozen=True)
class Task:
    """One network of one fold, as a worker receives it: rows are positions in the prepared images."""

    recipe: Recipe
    """its backbone_options are the architecture"""
    prepared_folder: Path
    train_rows: np.ndarray
    search_rows: np.ndarray
    """of search_val"""
    image_px: int
    """side to which images are shrunk"""
    fold: int
    seed: int


def evaluate(task: Task) -> dict[str, Any]:
    """Return the network's AUROC and loss on search_val, its cost, and how many images it was shown.

    MACs are counted for an image of the prepared size. Raises ValueError, naming the network, if
    it can't be trained.
    """
    return _train(task)[1]


def retrain(work: tuple[Task, Path]) -> tuple[loop.Tensors, dict[str, Any]]:
    """Train as `evaluate` does; return the backbone's tensors and the result, kept at the given path."""
    task, path = work

    def make() -> tuple[loop.Tensors, dict[str, Any]]:
        fitted, result = _train(task)
        prefix = "backbone."
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in fitted.tensors.items()
            if name.startswith(prefix)
        }, result

    return scratch.tensors(path, make)


def _train(task: Task) -> tuple[loop.Fitted, dict[str, Any]]:
    numerics.exact_torch()
    images = prepared.read(task.prepared_folder)
    labels_NL = manifest.label_array(images.index)
    train, search_val = (
        loop.Part(shrink(images.gather(rows), task.image_px), labels_NL[rows])
        for rows in (task.train_rows, task.search_rows)
    )
    candidate = network.build(
        task.recipe, labels=labels_NL.shape[1], seed=task.seed, fold=task.fold, pretrained=False
    )
    try:
        fitted = loop.fit(
            candidate, task.recipe, train=train, val=search_val, seed=task.seed, stream=("search", task.fold)
        )  # fmt: skip
    except ValueError as error:
        words = artifacts.canonical_json(task.recipe.backbone_options)
        raise ValueError(f"network {words} of fold {task.fold}: {error}") from None
    last = fitted.history[-1]
    return fitted, {
        "auroc": last.val_auroc,
        "loss": last.val_loss,
        "parameters": cost.parameters(candidate),
        "macs": cost.macs(candidate, size_px=images.size_px),
        "samples": len(fitted.history) * _epoch_images(len(train.images_NHW), task.recipe),
    }


def _epoch_images(images: int, recipe: Recipe) -> int:
    """Return how many of the images an epoch shows."""
    return min(batches.steps_per_epoch(images, recipe.batch_size) * recipe.batch_size, images)


def shrink(images_NHW: np.ndarray, size_px: int) -> np.ndarray:
    """Return uint8 (N, size_px, size_px), averaged over areas; the images themselves if they have that size."""
    if images_NHW.shape[1] == size_px:
        return images_NHW
    side = (size_px, size_px)
    return np.stack([cv2.resize(x, side, interpolation=cv2.INTER_AREA) for x in images_NHW])
