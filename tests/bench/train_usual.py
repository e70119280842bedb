"""A process that trains end to end from image files, our way or the usual one: one job per line it is sent.

`python -m tests.bench.train_usual` prints `ready`, then reads a Job as JSON from each line of its input
and prints a Result as JSON. With the exact profile in its environment both ways work in it; without, it
is what a user has, and only the usual way does.

- ours: ingest's and preprocess's own work, once (strict decoding, hashes, checksums, statistics,
  thumbnails, resize by area, uint8 shards on disk), then `loop.fit` from the shards. Not in it are
  the stages between, which decode nothing: merge, validate, split.
- PIL, cv2: a torch Dataset that decodes every file anew in every epoch, resizes it (PIL: bilinear with
  antialias; cv2: by area) and divides by 255 to float32; a DataLoader with so many workers, which
  stay; the bare loop of tests/bench/train_loop.py, and val images scored after each epoch, as ours are.

Both train the same network from the same weights with the same optimizer, rates, batch size and epochs,
and none augments. The usual way shuffles by itself.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from cxr import numerics, params, seeding
from cxr.metrics import auroc, classification
from cxr.training import network
from cxr.training.recipe import Recipe
from tests.bench import train_loop, train_setup


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training from files."""

    way: str
    """ours, PIL or cv2"""
    workers: int
    """of the DataLoader; ours has none"""
    cores: int
    """that the process and its workers may use"""
    files: list[str]
    """in one folder; the last `val` of them are judged on"""
    val: int
    px: int
    seed: int
    recipe: dict[str, Any]

    @property
    def settings(self) -> Recipe:
        """Return the recipe."""
        return params.build(Recipe, self.recipe, where="job")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of a job."""

    seconds: float
    cpu_seconds: float
    decoding_seconds: float
    """ours: until the shards stood there; the usual way does not know"""
    losses: list[float]
    val_auroc: float
    val_accuracy: float


def main() -> None:
    """Work a job for each line of input."""
    os.environ["CXR_WORKERS"] = "1"
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(dataclasses.asdict(work(Job(**json.loads(line))))), flush=True)


def work(job: Job) -> Result:
    """Train from files, on as many cores as the job says.

    The usual way computes on all of them if its workers do not need them.
    """
    os.sched_setaffinity(0, _CORES[: job.cores])
    torch.set_num_threads(1 if job.way == "ours" or job.workers else job.cores)
    with train_setup.clock() as took:
        found = _ours(job) if job.way == "ours" else _usual(job)
    return dataclasses.replace(found, seconds=took.seconds, cpu_seconds=took.cpu_seconds)


_CORES = sorted(os.sched_getaffinity(0))


def _ours(job: Job) -> Result:
    from cxr.training import loop

    numerics.exact_torch()
    settings, labels = job.settings, train_setup.with_effusion([Path(x) for x in job.files])
    with tempfile.TemporaryDirectory(prefix="cxrepro-bench-") as name, train_setup.clock() as took:
        images = _prepared(job, Path(name))
    cut = len(images) - job.val
    train, val = (loop.Part(images[x], labels[x]) for x in (slice(cut), slice(cut, None)))
    net = network.build(settings, labels=2, seed=job.seed, fold=0)
    fitted = loop.fit(net, settings, train=train, val=val, seed=job.seed, stream=train_loop.STREAM)
    last = fitted.history[-1]
    return Result(
        seconds=0, cpu_seconds=0, decoding_seconds=took.seconds,
        losses=[line.train_loss for line in fitted.history],
        val_auroc=last.val_auroc, val_accuracy=last.val_accuracy,
    )  # fmt: skip


def _prepared(job: Job, folder: Path) -> np.ndarray:
    """Take the files in and prepare them, by the code of ingest and preprocess; return uint8 (N, S, S)."""
    import pandas as pd

    from cxr import intake, prepared
    from cxr.intake import pixels

    root, members = Path(job.files[0]).parent, [Path(x).name for x in job.files]
    steps = train_setup.steps(job.px)
    keep = intake.Keep(folder / "facts", folder / "pixels", pixels.chain_of(steps))
    facts, _ = intake.take_in(root, members, keep)
    index = pd.DataFrame({"image": members, **dict.fromkeys(prepared.COLUMNS[1:], "")})
    index[["age_years", "label:x"]] = 50.0, 0.0
    ready = pixels.Pixels(folder / "pixels", facts["sha256"].tolist())

    def never(rows: slice) -> Iterator[np.ndarray]:
        raise AssertionError("ingest left no pixels for these images")

    prepared.write(folder / "prepared", never, index, kept=ready)
    opened = prepared.read(folder / "prepared")
    return opened.gather(np.arange(len(members)))


def with_pil(path: str, px: int) -> np.ndarray:
    """Return float32 (px, px) of 0 to 1."""
    with Image.open(path) as image:
        small = image.convert("L").resize((px, px), Image.Resampling.BILINEAR)
    return np.asarray(small, dtype=np.float32) / 255


def with_cv2(path: str, px: int) -> np.ndarray:
    """Return float32 (px, px) of 0 to 1."""
    image = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    assert image is not None, path
    return cv2.resize(image, (px, px), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


READERS: dict[str, Callable[[str, int], np.ndarray]] = {"PIL": with_pil, "cv2": with_cv2}


class Files(Dataset):
    """Files and their classes, each decoded when it is asked for."""

    def __init__(self, job: Job, rows: slice) -> None:
        self.files, self.px, self.read = job.files[rows], job.px, READERS[job.way]
        labels = train_setup.with_effusion([Path(x) for x in self.files])
        self.classes = labels.argmax(axis=1).tolist()
        self.mean, self.std = job.settings.mean, job.settings.std

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        grey = (self.read(self.files[place], self.px) - self.mean) / self.std
        return torch.from_numpy(grey).unsqueeze(0), self.classes[place]


def _usual(job: Job) -> Result:
    settings, cut = job.settings, len(job.files) - job.val
    options: dict[str, Any] = {
        "batch_size": settings.batch_size, "num_workers": job.workers,
        "persistent_workers": job.workers > 0,
    }  # fmt: skip
    chance = seeding.torch_stream(job.seed, "bench", "usual")
    train = DataLoader(
        Files(job, slice(cut)), shuffle=True, drop_last=True, generator=chance, **options
    )
    val = DataLoader(Files(job, slice(cut, None)), generator=chance, **options)
    net = network.build(settings, labels=2, seed=job.seed, fold=0)
    scores: list[tuple[float, float]] = []
    losses = train_loop.bare(
        net, settings, (train for _ in range(settings.epochs)), steps=len(train),
        after=lambda: scores.append(_scored(net, val)),
    )  # fmt: skip
    found = {"val_auroc": scores[-1][0], "val_accuracy": scores[-1][1]}
    return Result(seconds=0, cpu_seconds=0, decoding_seconds=0, losses=losses, **found)


def _scored(net: torch.nn.Module, val: DataLoader) -> tuple[float, float]:
    """Return AUROC and accuracy on val."""
    net.eval()
    with torch.inference_mode():
        found = [(net(inputs).softmax(dim=1), classes) for inputs, classes in val]
    scores, classes = (torch.cat(x) for x in zip(*found, strict=True))
    labels = np.eye(2, dtype=np.float32)[classes.numpy()]
    said = classification.accuracy(labels, scores.numpy(), exclusive=True)
    return float(auroc.macro(labels, scores.numpy())), said


if __name__ == "__main__":
    main()
