"""A model on disk: what it is, how it was made, and per fold the network's shape and weights.

config.json names every other file with its sha256, so that a changed one is refused; recipe.json is
the recipe; fold-<i>.json holds what may differ between folds (the backbone's options, the channels
that pruning kept, the temperature), fold-<i>.safetensors the tensors. No pickle: a network is built
again from code.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cxr import artifacts, numerics, params, prepared, seeding
from cxr.backbones import surgery
from cxr.backbones.weights import file_sha256
from cxr.metrics import cost
from cxr.training import loop, losses
from cxr.training.augmentation import augment
from cxr.training.network import Network, build, last_layer
from cxr.training.recipe import Augmentation, Recipe

FORMAT = 3
_OF_RECIPE = ("backbone", "loss", "mean", "std", "test_views", "calibration")
"""What config.json repeats of the recipe."""


@dataclass(frozen=True)
class Member:
    """One fold's network, ready to score, and the recipe whose normalisation it needs."""

    network: Network
    recipe: Recipe
    temperature: float = 1.0
    """divides the raw scores"""


@dataclass(frozen=True)
class Saved:
    """One fold's network as `save` takes it."""

    fitted: loop.Fitted
    backbone_options: dict[str, Any]
    """of this fold: a searched architecture differs from fold to fold"""
    pruning: dict[str, list[int]]
    """group of channels: the channels kept; empty for a whole network"""
    temperature: float
    """divides the raw scores; 1 without calibration"""


def save(
    folder: Path, recipe: Recipe, members: list[Saved], *, labels: list[str], size_px: int
) -> dict[str, Any]:
    """Write a model of one network per fold into `folder`; return its config.

    Parameters and MACs are those of the largest network, as folds may have other shapes.
    """
    written = dataclasses.asdict(recipe)
    if recipe.shards == 1:  # a model that was made whole says so as those from before shards do
        del written["shards"]
    artifacts.write_json(folder / "recipe.json", written)
    networks = []
    for fold, member in enumerate(members):
        own = dataclasses.replace(recipe, backbone_options=member.backbone_options)
        networks.append(_shaped(own, member.pruning, labels=len(labels), size_px=size_px))
        differing = {
            key: getattr(member, key) for key in ("backbone_options", "pruning", "temperature")
        }
        artifacts.write_json(folder / f"fold-{fold}.json", differing)
        about = {"fold": fold, "best_epoch": member.fitted.best_epoch}
        artifacts.write_tensors(folder / f"fold-{fold}.safetensors", member.fitted.tensors, about)
    config = {
        "format": FORMAT,
        **{key: getattr(recipe, key) for key in _OF_RECIPE},
        "labels": labels,
        "folds": len(members),
        "size_px": size_px,
        "parameters": max(map(cost.parameters, networks)),
        "macs": max(cost.macs(network, size_px=size_px) for network in networks),
        "files": {path.name: file_sha256(path) for path in sorted(folder.iterdir())},
    }
    artifacts.write_json(folder / "config.json", config)
    return config


def _shaped(recipe: Recipe, pruning: dict[str, list[int]], *, labels: int, size_px: int) -> Network:
    """Build the network of one fold with its channels cut out; its weights mean nothing yet."""
    network = build(recipe, labels=labels, seed=0, fold=0, pretrained=False)
    if pruning:
        surgery.keep(network, pruning, size_px=size_px, ignored=[last_layer(network)])
    return network


def config(folder: Path) -> dict[str, Any]:
    """Read a model's config; raise ValueError if the model is missing or of another format."""
    path = folder / "config.json"
    if not path.is_file():
        raise ValueError(f"{path} is missing: run `dvc repro` (or `dvc pull`) to get the model")
    found = artifacts.read_json(path)
    if found.get("format") != FORMAT:
        raise ValueError(f"{path} has format {found.get('format')!r}, this code reads {FORMAT}")
    return found


def recipe(folder: Path, fold: int) -> Recipe:
    """Read one fold's recipe, with the fold's own backbone options, without building its network.

    Raises ValueError for a file that is missing or not the one that config.json names.
    """
    return _recipe_and_differing(folder, fold, config(folder))[0]


def shared_recipe(folder: Path) -> Recipe:
    """Read the recipe that all folds of a model share; the backbone's options are as a study says them.

    Raises ValueError for a file that is missing or not the one that config.json names.
    """
    return _shared(folder, config(folder))


def load(folder: Path, fold: int) -> Member:
    """Rebuild one fold's network with its weights, bit for bit.

    The member's recipe is that of `recipe`. Raises ValueError for a file that is missing or not the
    one that config.json names, and for weights that don't fit.
    """
    about = config(folder)
    own, differing = _recipe_and_differing(folder, fold, about)
    path = _checked(folder / f"fold-{fold}.safetensors", about)
    labels, size_px = len(about["labels"]), about["size_px"]
    try:
        network = _shaped(own, differing["pruning"], labels=labels, size_px=size_px)
    except ValueError as error:
        raise ValueError(f"{folder / f'fold-{fold}.json'} does not fit: {error}") from None
    try:
        network.load_state_dict(artifacts.read_tensors(path))
    except RuntimeError as error:
        raise ValueError(
            f"{path} does not fit its recipe: {str(error).splitlines()[-1].strip()}"
        ) from None
    return Member(network.eval(), own, differing["temperature"])


def _recipe_and_differing(
    folder: Path, fold: int, about: dict[str, Any]
) -> tuple[Recipe, dict[str, Any]]:
    """Read one fold's own recipe, and what else its fold-<i>.json says."""
    shared = _shared(folder, about)
    differing = artifacts.read_json(_checked(folder / f"fold-{fold}.json", about))
    own = dataclasses.replace(shared, backbone_options=differing["backbone_options"])
    return own, differing


def _shared(folder: Path, about: dict[str, Any]) -> Recipe:
    path = _checked(folder / "recipe.json", about)
    found = params.build(Recipe, {"shards": 1, **artifacts.read_json(path)}, where=str(path))
    for key in _OF_RECIPE:
        if about.get(key) != getattr(found, key):
            raise ValueError(
                f"{folder / 'config.json'} was changed: it says {key} {about.get(key)!r}, recipe.json "
                f"{getattr(found, key)!r}; run `dvc checkout` (or `dvc repro`) to get the model again"
            )
    return found


def _checked(path: Path, about: dict[str, Any]) -> Path:
    """Return `path` if it is the file that the model's config names; raise ValueError otherwise."""
    wanted = about["files"].get(path.name)
    if wanted is None or not path.is_file():
        raise ValueError(f"{path} is missing: the model has {about['folds']} fold(s), from 0")
    found = file_sha256(path)
    if found != wanted:
        raise ValueError(
            f"{path} was changed: its sha256 is {found}, config.json says {wanted}; "
            "run `dvc checkout` (or `dvc repro`) to get the model again"
        )
    return path


def predict(member: Member, images_NHW: np.ndarray) -> np.ndarray:
    """Return probabilities float32 (N, L) for uint8 images (N, H, W): the mean over `test_views` views."""
    scores_VNL = [
        predict_once(member, _view(images_NHW, member.recipe.augmentation, number))
        for number in range(member.recipe.test_views)
    ]
    # the mean of one view has that view's bits
    return np.stack(scores_VNL).mean(axis=0, dtype=np.float64).astype(np.float32)


def predict_once(member: Member, images_NHW: np.ndarray) -> np.ndarray:
    """Return probabilities float32 (N, L) for uint8 images (N, H, W), each seen once, as it is."""
    raw_NL = loop.raw_scores(member.network, member.recipe, images_NHW)
    return losses.probabilities(raw_NL / member.temperature, member.recipe.loss).numpy()


def _view(images_NHW: np.ndarray, settings: Augmentation, number: int) -> np.ndarray:
    """Return view `number` of every image; 0 is the image as it is.

    A view is one change, the same for all images, so that a score depends on no image beside it and
    on no place in the data set.
    """
    if number == 0:
        return images_NHW
    changed_NHW = np.empty_like(images_NHW)
    for place, image_HW in enumerate(images_NHW):
        rng = seeding.stream(0, "view of a test image", number)
        changed_NHW[place] = augment(image_HW, settings, rng=rng)
    return changed_NHW


def score_fold(task: tuple[Path, int, Path, np.ndarray]) -> np.ndarray:
    """Score rows of the prepared images with one fold's network: (model folder, fold, prepared, rows)."""
    folder, fold, prepared_folder, rows = task
    numerics.exact_torch()
    return predict(load(folder, fold), prepared.read(prepared_folder).gather(rows))
