"""A model on disk: config.json (what it is), recipe.json (how it was made), one safetensors per fold."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cxr import artifacts, numerics, params, prepared
from cxr.metrics import cost
from cxr.training import loop
from cxr.training.network import Network, build
from cxr.training.recipe import Recipe

FORMAT = 1


@dataclass(frozen=True)
class Member:
    """One fold's network, ready to score, and the recipe whose normalisation it needs."""

    network: Network
    recipe: Recipe


@dataclass(frozen=True)
class Task:
    """One fold's training, as a worker receives it: rows are positions in the prepared images."""

    recipe: Recipe
    prepared_folder: Path
    labels_NL: np.ndarray
    train_rows: np.ndarray
    val_rows: np.ndarray
    fold: int
    seed: int


def fit_fold(task: Task) -> loop.Fitted:
    """Build and fit one fold's network; the same bytes in any process."""
    numerics.exact_torch()
    images = prepared.read(task.prepared_folder)
    network = build(task.recipe, labels=task.labels_NL.shape[1], seed=task.seed, fold=task.fold)
    train, val = (
        loop.Part(images.gather(rows), task.labels_NL[rows])
        for rows in (task.train_rows, task.val_rows)
    )
    return loop.fit(
        network, task.recipe, train=train, val=val, seed=task.seed, stream=("transfer", task.fold)
    )


def save(
    folder: Path,
    recipe: Recipe,
    members: list[loop.Fitted],
    *,
    labels: list[str],
    size_px: int,
    seed: int,
) -> dict[str, Any]:
    """Write a model of one network per fold into `folder`; return its config."""
    network = build(recipe, labels=len(labels), seed=seed, fold=0, pretrained=False)
    config = {
        "format": FORMAT,
        "backbone": recipe.backbone,
        "labels": labels,
        "loss": recipe.loss,
        "folds": len(members),
        "size_px": size_px,
        "mean": recipe.mean,
        "std": recipe.std,
        "parameters": cost.parameters(network),
        "macs": cost.macs(network, size_px=size_px),
    }
    artifacts.write_json(folder / "config.json", config)
    artifacts.write_json(folder / "recipe.json", dataclasses.asdict(recipe))
    for fold, fitted in enumerate(members):
        about = {"fold": fold, "best_epoch": fitted.best_epoch}
        artifacts.write_tensors(folder / f"fold-{fold}.safetensors", fitted.tensors, about)
    return config


def config(folder: Path) -> dict[str, Any]:
    """Read a model's config; raise ValueError if the model is missing or of another format."""
    path = folder / "config.json"
    if not path.is_file():
        raise ValueError(f"{path} is missing: run `dvc repro` (or `dvc pull`) to get the model")
    found = artifacts.read_json(path)
    if found.get("format") != FORMAT:
        raise ValueError(f"{path} has format {found.get('format')!r}, this code reads {FORMAT}")
    return found


def load(folder: Path, fold: int) -> Member:
    """Rebuild one fold's network with its weights; raise ValueError if the file does not fit."""
    about = config(folder)
    recipe = params.build(
        Recipe, artifacts.read_json(folder / "recipe.json"), where=f"{folder}/recipe.json"
    )
    network = build(recipe, labels=len(about["labels"]), seed=0, fold=fold, pretrained=False)
    path = folder / f"fold-{fold}.safetensors"
    try:
        network.load_state_dict(artifacts.read_tensors(path))
    except RuntimeError as error:
        raise ValueError(
            f"{path} does not fit recipe.json: {str(error).splitlines()[-1].strip()}"
        ) from None
    return Member(network.eval(), recipe)


def predict(member: Member, images_NHW: np.ndarray) -> np.ndarray:
    """Return probabilities float32 (N, L) for uint8 images (N, H, W)."""
    return loop.predict(member.network, member.recipe, images_NHW)


def score_fold(task: tuple[Path, int, Path, np.ndarray]) -> np.ndarray:
    """Score rows of the prepared images with one fold's network: (model folder, fold, prepared, rows)."""
    folder, fold, prepared_folder, rows = task
    numerics.exact_torch()
    return predict(load(folder, fold), prepared.read(prepared_folder).gather(rows))
