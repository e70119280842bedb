"""How good a network is after a short training on small images: what the search compares.

The last step counts: were the best epoch chosen on the images that rank the networks, the luckiest
curve would win. Order of images, augmentation and the draws of the first weights are the same for
all networks of a fold and of the same `draws`, so that these don't decide between two of them. A
network whose loss is no number loses, with a score of 0; the search goes on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cxr import artifacts, backbones, manifest, numerics, plugins, prepared, seeding
from cxr.architectures import Cost
from cxr.metrics import cost
from cxr.search import space
from cxr.training import batches, loop, network
from cxr.training.network import Network
from cxr.training.recipe import Recipe

PROXY_IMAGES = 32
"""of train, that a proxy looks at"""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One training of one network, as a worker receives it: rows are positions in the prepared images."""

    recipe: Recipe
    """its backbone and backbone_options say the network"""
    prepared_folder: Path
    train_rows: np.ndarray
    search_rows: np.ndarray
    """of search_val"""
    val_rows: np.ndarray
    """of val, looked at by `finalist` alone"""
    image_px: int
    """side to which images are shrunk"""
    fold: int
    seed: int
    samples: int
    """images to be shown: whole batches, at least one"""
    draws: str
    """name of the random draws: another name, another training of the same network"""


def given(task: Task, network: str, *, samples: int, draws: str) -> Task:
    """Return the training of a network: an architecture's canonical JSON, or a timm name (from scratch)."""
    change: dict[str, Any] = {"backbone": network, "backbone_options": {}, "weights": None}
    if network.startswith("{"):
        change = {"backbone": backbones.SEARCHED, "backbone_options": json.loads(network)}
    recipe = dataclasses.replace(task.recipe, **change)
    return dataclasses.replace(task, recipe=recipe, samples=samples, draws=draws)


def evaluate(task: Task) -> dict[str, Any]:
    """Return what search_val says of the network, its cost, and how many images it was shown.

    auroc and accuracy in 0..1, loss (None if it is no number: then `diverged`, and both are 0). The
    cost is for an image of the prepared size. Raises ValueError, naming the network, if it can't be
    trained at all.
    """
    return _train(task)[1]


def finalist(task: Task) -> dict[str, Any]:
    """Return what `evaluate` does, and val_auroc and val_accuracy, which choose nothing.

    They are None where val can't say: no images, or no label both present and absent.
    """
    fitted, result = _train(task)
    auroc = accuracy = math.nan
    if fitted is not None and len(task.val_rows):
        built = _build(task)
        built.load_state_dict(fitted.tensors)
        with contextlib.suppress(loop.Diverged):
            _, auroc, accuracy = loop.judge(built, task.recipe, _part(task, task.val_rows))
    said = {"val_auroc": auroc, "val_accuracy": accuracy}
    return {**result, **{k: v if math.isfinite(v) else None for k, v in said.items()}}


def tensors(task: Task) -> tuple[loop.Tensors, dict[str, Any]]:
    """Train as `evaluate` does; return the backbone's tensors too.

    Raises ValueError, naming the network, if its loss is no number: no tensors are worth keeping.
    """
    fitted, result = _train(task)
    if fitted is None:
        raise ValueError(f"{_words(task)} diverged: lower training.optimizer.learning_rate")
    start = "backbone."
    found = {k.removeprefix(start): v for k, v in fitted.tensors.items() if k.startswith(start)}
    return found, result


def proxies(task: Task, names: tuple[str, ...]) -> dict[str, float | None]:
    """Return what each proxy of cxr/search/proxies says of the network at its first weights.

    None where it says no finite number. They look at the same PROXY_IMAGES images of train for all networks of a fold.
    """
    numerics.exact_torch()
    rng = seeding.stream(task.seed, "search", "proxies", task.fold)
    rows = rng.permutation(task.train_rows)[:PROXY_IMAGES]
    part, recipe = _part(task, rows), task.recipe
    images_B1HW = batches.normalise(part.images_NHW, mean=recipe.mean, std=recipe.std)
    built = _build(task)
    known = _cost(built, task)
    said = {
        name: plugins.load("search/proxies", name).score(built, images_B1HW, part.labels_NL, known)
        for name in names
    }
    return {name: float(score) if math.isfinite(score) else None for name, score in said.items()}


def _train(task: Task) -> tuple[loop.Fitted | None, dict[str, Any]]:
    """Return the fitted network, None if it diverged, and what `evaluate` says."""
    numerics.exact_torch()
    candidate, train = _build(task), _part(task, task.train_rows)
    network.start(candidate, task.recipe, train.labels_NL)
    about = dataclasses.asdict(_cost(candidate, task))
    batch = min(task.recipe.batch_size, len(task.train_rows))
    steps = max(1, task.samples // batch)
    about["samples"] = steps * batch
    lost = {"auroc": 0.0, "accuracy": 0.0, "loss": None, "diverged": True}
    try:
        fitted = loop.fit(
            candidate, task.recipe,
            train=train, val=_part(task, task.search_rows),
            seed=_seed(task), stream=("search", task.fold), steps=steps,
        )  # fmt: skip
    except loop.Diverged:
        return None, {**lost, **about}
    except ValueError as error:
        raise ValueError(f"{_words(task)}: {error}") from None
    last = fitted.history[-1]
    if not math.isfinite(last.val_loss):
        return None, {**lost, **about}
    scores = {"auroc": last.val_auroc, "accuracy": last.val_accuracy, "loss": last.val_loss}
    return fitted, {**scores, "diverged": False, **about}


def _build(task: Task) -> Network:
    labels = _opened(task)[1].shape[1]
    return network.build(task.recipe, labels=labels, seed=_seed(task), fold=task.fold)


def _seed(task: Task) -> int:
    return seeding.key(task.seed, "search", task.draws)


def _cost(built: Network, task: Task) -> Cost:
    """Return the whole network's cost for an image of the prepared size: counted where it can be."""
    images, labels_NL, _ = _opened(task)
    recipe, size_px = task.recipe, images.size_px
    if recipe.backbone == backbones.SEARCHED:
        options, labels = recipe.backbone_options, labels_NL.shape[1]
        return space.whole(options, size_px=size_px, labels=labels, head=recipe.head)
    return Cost(
        parameters=cost.parameters(built),
        macs=cost.macs(built, size_px=size_px),
        activation_bytes=cost.activation_bytes(built, size_px=size_px),
    )


def _words(task: Task) -> str:
    options = artifacts.canonical_json(task.recipe.backbone_options)
    return f"network {task.recipe.backbone} {options} of fold {task.fold}"


def _part(task: Task, rows: np.ndarray) -> loop.Part:
    """Return images shrunk to the task's size, and their labels."""
    images, labels_NL, small_NHW = _opened(task)
    pixels = images.gather(rows) if small_NHW is None else small_NHW[rows]
    return loop.Part(pixels, labels_NL[rows])


def _opened(task: Task) -> tuple[prepared.Prepared, np.ndarray, np.ndarray | None]:
    """Return the prepared images, labels (N, L), and all images shrunk; None where they have the size.

    Read and shrunk once in a process, as long as the folder is not written anew.
    """
    stamp = (task.prepared_folder / "index.csv").stat()
    folder = task.prepared_folder.resolve()
    return _open(folder, task.image_px, (stamp.st_ino, stamp.st_mtime_ns, stamp.st_size))


@functools.lru_cache(maxsize=1)
def _open(
    folder: Path, image_px: int, stamp: tuple[int, ...]
) -> tuple[prepared.Prepared, np.ndarray, np.ndarray | None]:
    images = prepared.read(folder)
    labels_NL = manifest.label_array(images.index)
    if images.size_px == image_px:
        return images, labels_NL, None
    small_NHW = np.empty((len(images.index), image_px, image_px), np.uint8)
    for rows in np.array_split(np.arange(len(small_NHW)), -(-len(small_NHW) // 1024)):
        small_NHW[rows] = shrink(images.gather(rows), image_px)
    return images, labels_NL, small_NHW


def shrink(images_NHW: np.ndarray, size_px: int) -> np.ndarray:
    """Return uint8 (N, size_px, size_px), averaged over areas."""
    side = (size_px, size_px)
    return np.stack([cv2.resize(x, side, interpolation=cv2.INTER_AREA) for x in images_NHW])
