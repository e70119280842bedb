"""Kept features of frozen layers: how much faster, the same bytes without augmentation, how good with few views.

Scenario 3 of Serghine 2025: all of MobileNetV2 is frozen, a head of 1024 and 512 is trained for 20
epochs in batches of 64 at 224 px. Speed does not depend on weights or pixels, so it is measured on
phantoms from a random start, without augmentation: then the weights must be the same to the byte.

What few views are worth shows with augmentation: fresh views in every epoch against n kept ones, on
folds of DarkCovidNet grouped by patient (CXR_REAL_DATA), from ImageNet's weights. The images of val
and of search_val judge, for nothing is chosen by them here; test images are not looked at. Without
real data it is phantoms under random weights, which shows that it works and says little.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from cxr import artifacts, manifest, numerics, params, prepared, workers
from cxr.training import batches, loop, network
from cxr.training.recipe import Recipe
from flows import study
from tests.bench import phantoms
from tests.bench.train_rows import Row
from tests.bench.train_setup import STILL, clock, digest, drawn, recipe, turns
from tests.real import projects

HEAD = {"kind": "mlp", "hidden": [1024, 512], "dropout": 0.0}
STUDY, RUN = "darkcovidnet", "mobilenetv2_035"
VIEWS: dict[str, dict[str, Any]] = {
    "fresh": {"frozen_views": 0},
    "1 view": {"frozen_views": 1},
    "4 views": {"frozen_views": 4},
    "unchanged": {"frozen_views": 1, "augmentation": STILL},
}
"""What each way of part views changes; unchanged: without augmentation, what all of it is worth."""


def measure(
    *, backbone: str, train: int, val: int, epochs: int, px: int, batch: int, rounds: int
) -> Iterator[Row]:
    """Train the head on images and on kept features in turns; yield a row for each training."""
    parts = drawn(train, val, px)
    plain = recipe(
        backbone=backbone, head=HEAD, trainable=["head"], epochs=epochs, batch_size=batch,
        augmentation=STILL,
        optimizer={"learning_rate": 1e-3, "head_learning_rate": 1e-3, "weight_decay": 0.0, "warmup_epochs": 0},
    )  # fmt: skip
    ways = {"images": plain, "features": dataclasses.replace(plain, frozen_views=1)}
    for given in ways.values():  # loads what is loaded late
        few = [loop.Part(x.images_NHW[:2], x.labels_NL[:2]) for x in parts]
        _row("", "", dataclasses.replace(given, epochs=1, batch_size=2), few, seed=0)
    for number, way in turns(tuple(ways), rounds):
        row = _row("frozen", way, ways[way], parts, seed=0)
        yield dataclasses.replace(row, round=number)


def _row(part: str, way: str, given: Recipe, parts: Sequence[loop.Part], *, seed: int) -> Row:
    train, val = parts
    net = network.build(given, labels=train.labels_NL.shape[1], seed=seed, fold=0)
    # a folder of its own: features that a killed run left would be found, and take no time
    with tempfile.TemporaryDirectory(prefix="cxrepro-bench-") as kept, clock() as took:
        fitted = loop.fit(
            net, given, train=train, val=val, seed=seed, stream=("bench", seed), kept=Path(kept)
        )
    last, size = fitted.history[-1], given.batch_size
    return Row(
        part=part, way=way, px=train.images_NHW.shape[-1], round=seed,
        images=batches.steps_per_epoch(len(train.images_NHW), size) * size * len(fitted.history),
        seconds=took.seconds, cpu_seconds=took.cpu_seconds, train_loss=last.train_loss,
        val_auroc=last.val_auroc, val_accuracy=last.val_accuracy,
        weights=digest(fitted.tensors), about=given.backbone,
    )  # fmt: skip


@dataclass(frozen=True)
class Fold:
    """One seed's images, as a worker receives them."""

    seed: int
    train: loop.Part
    val: loop.Part


def views(folds: Sequence[Fold], base: Recipe) -> list[Row]:
    """Train every way on every fold; the trainings stand side by side, so their seconds are none of an idle machine."""
    items = [(way, fold, base) for fold in folds for way in VIEWS]
    return workers.run(_view, items, words="views")


def _view(item: tuple[str, Fold, Recipe]) -> Row:
    numerics.exact_torch()
    way, fold, base = item
    augmentation = VIEWS[way].get("augmentation", dataclasses.asdict(base.augmentation))
    tree = {**dataclasses.asdict(base), **VIEWS[way], "augmentation": augmentation}
    given = params.build(Recipe, tree, where=way)
    row = _row("views", way, given, (fold.train, fold.val), seed=fold.seed)
    return dataclasses.replace(row, about="beside others: its processor time counts")


def imagenet(real: Path) -> dict[str, Any]:
    """Return what a recipe says of a network that starts from ImageNet's weights, as the study does."""
    tree = study.compose(STUDY)["transfer"]["recipes"][RUN]
    file = real / "weights" / Path(tree["weights"]["file"]).name
    said = {key: tree[key] for key in ("backbone", "backbone_options", "mean", "std", "optimizer")}
    return {**said, "weights": {"file": str(file), "sha256": tree["weights"]["sha256"]}}


def real_recipe(real: Path, *, epochs: int) -> Recipe:
    """Return the recipe of a head on ImageNet's features."""
    optimizer = {"learning_rate": 1e-3, "head_learning_rate": 1e-3, "weight_decay": 0.01, "warmup_epochs": 1}  # fmt: skip
    start = {**imagenet(real), "optimizer": optimizer}
    return recipe(**start, head=HEAD, trainable=["head"], epochs=epochs)


def real_folds(real: Path, *, px: int, count: int) -> list[Fold]:
    """Return the first folds of the study: train, and val with search_val to judge on."""
    folder = _project(real, px)
    opened = prepared.read(folder / "prepared")
    splits = artifacts.read_csv(folder / "splits.csv")
    labels_NL = manifest.label_array(opened.index)
    rows = {part: prepared.rows(opened.index, splits, part) for part in ("train", "val", "search_val")}  # fmt: skip
    found = []
    for fold in range(count):
        held = np.sort(np.concatenate([rows["val"][fold], rows["search_val"][fold]]))
        parts = [loop.Part(opened.gather(x), labels_NL[x]) for x in (rows["train"][fold], held)]
        found.append(Fold(fold, *parts))
    return found


def _project(real: Path, px: int) -> Path:
    """Run the study up to preprocess at `px`, once; return the folder of prepared images and splits."""
    found = phantoms.home() / f"{STUDY}-{px}px"
    if (found / "splits.csv").is_file():
        return found
    print(f"running {STUDY} up to preprocess into {found}, once", flush=True)
    with artifacts.folder(found) as partial:
        datasets = projects.make(partial, STUDY, real)
        path = partial / "studies" / STUDY / "study.yaml"
        tree = params.read_yaml(path)
        tree["preprocess"] = {"steps": [{"name": "resize", "size_px": px, "fit": "pad"}]}
        YAML(typ="safe", pure=True).dump(tree, path)
        projects.run(partial, "-m", "flows.study", STUDY)
        projects.stages(partial, datasets, "merge", "validate", "split", "preprocess")
        for name in ("prepared", "splits.csv"):
            (partial / "data" / name).rename(partial / name)
    return found


def phantom_folds(*, train: int, val: int, px: int, count: int) -> list[Fold]:
    """Return the same phantoms for each seed."""
    parts = drawn(train, val, px)
    return [Fold(seed, *parts) for seed in range(count)]
