"""How a sharded training scales: MobileNetV2 at 96 px by one process, two, …; `python -m tests.bench.sharded`.

Each way in turn, as often as `--rounds` says: one fold's training of one epoch on random images, in a
folder of its own. Counted is the training itself, reading the images and scoring val in it; what it
takes to start the workers is told beside. The weights must be the same bytes each time. In the same
rounds as many trainings run at once that know nothing of each other, with one process each: cores share
caches, memory and their clock, and no trainer on this machine can be faster than those together. Promised:
two processes do 1.6 times as many images a second as one; with fewer cores, or with other work on them, no
number means anything.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import stages  # noqa: F401  the exact profile, before anything numerical is loaded

# isort: split
import numpy as np
import pandas as pd

from cxr import numerics, prepared, seeding
from cxr.training import folds, models
from cxr.training.recipe import Recipe
from cxr.training.sharded.meeting import Meeting, Plan
from tests.bench import train_setup

SIZE_PX, VAL = 96, 128
PROMISE = 1.6


@dataclass(frozen=True)
class Run:
    """One training."""

    images_per_s: float
    start_s: float
    """until all workers had joined"""
    sha256: str
    """of the weights"""


def recipe(*, batch: int, shards: int) -> Recipe:
    """Return a recipe of MobileNetV2 from scratch for one epoch."""
    return train_setup.recipe(
        backbone="mobilenetv2_100", weights=None, trainable=["all"], loss="bce", epochs=1,
        batch_size=batch, shards=shards, ema_decay=0.999, frozen_views=0,
    )  # fmt: skip


def project(settings: Recipe, *, steps: int) -> folds.Task:
    """Lay out random images in the current folder; return their one fold's task."""
    images = settings.batch_size * steps + VAL
    names = [f"random/{number:06d}.png" for number in range(images)]
    index = pd.DataFrame({"image": names, "patient": names, "source": "random", "view": "",
                          "age_years": np.nan, "sex": ""})  # fmt: skip
    index["label:a"] = np.arange(images) % 2
    rng = seeding.stream(1, "bench")
    pixels = rng.integers(0, 256, size=(images, SIZE_PX, SIZE_PX), dtype=np.uint8)
    prepared.write(Path("data/prepared"), pixels.__getitem__, index)
    parts = ["train"] * (images - VAL) + ["val"] * VAL
    splits = pd.DataFrame({"image": names, "group": names, "fold_0": parts})
    return folds.tasks(settings, index, splits, prepared_folder=Path("data/prepared"), seed=1)[0]


def once(task: folds.Task, processes: int) -> Run:
    """Train with so many processes."""
    if processes == 1:
        return _timed(task, None, 0.0)
    start = time.perf_counter()
    plan = Plan("127.0.0.1", 0, os.urandom(16), processes - 1, 0)
    with Meeting(plan, words="bench") as meeting:
        met = time.perf_counter() - start
        meeting.give(task)
        return _timed(task, meeting, met)


def _timed(task: folds.Task, meeting: Meeting | None, start_s: float) -> Run:
    start = time.perf_counter()
    saved: models.Saved = folds.fit(task, meeting.team if meeting else None)
    seconds = time.perf_counter() - start
    sha = hashlib.sha256()
    for _, tensor in sorted(saved.fitted.tensors.items()):
        sha.update(tensor.numpy().tobytes())
    return Run(len(task.train_rows) / seconds, start_s, sha.hexdigest())


def apart(settings: Recipe, *, steps: int, processes: int) -> float:
    """Return the images a second of so many trainings at once that have nothing in common."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(_ready, range(processes)))
        runs = list(pool.map(_alone, [settings] * processes, [steps] * processes))
    return sum(run.images_per_s for run in runs)


def _ready(_: int) -> None:
    time.sleep(1)  # so that each of them is another process


def _alone(settings: Recipe, steps: int) -> Run:
    numerics.exact_torch()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        return once(project(settings, steps=steps), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64, help="images of a step")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    words = parser.parse_args()
    numerics.exact_torch()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    found: dict[int, list[Run]] = {processes: [] for processes in words.workers}
    most: dict[int, list[float]] = {processes: [] for processes in words.workers[1:]}
    settings = recipe(batch=words.batch, shards=words.shards)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        task = project(settings, steps=words.steps)
        for _ in range(words.rounds):
            for processes, runs in found.items():
                runs.append(once(task, processes))
                print(f"{processes} process(es): {runs[-1].images_per_s:.1f} images/s, started in {runs[-1].start_s:.1f} s", flush=True)  # fmt: skip
            for processes, rates in most.items():
                rates.append(apart(settings, steps=words.steps, processes=processes))
                print(f"{processes} trainings apart: {rates[-1]:.1f} images/s", flush=True)
    first = statistics.median(run.images_per_s for run in found[words.workers[0]])
    for processes, rates in most.items():
        times = statistics.median(run.images_per_s for run in found[processes]) / first
        print(
            f"{processes} processes: {times:.2f} x {words.workers[0]} (promised of 2: {PROMISE} x 1); "
            f"{processes} trainings apart: {statistics.median(rates) / first:.2f} x"
        )
    same = len({run.sha256 for runs in found.values() for run in runs}) == 1
    print(f"the same bytes each time: {same}")
    raise SystemExit(0 if same else 1)


if __name__ == "__main__":
    main()
