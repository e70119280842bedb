"""From image files to a trained network: ours, which decodes once, beside the usual way, which decodes in every epoch.

The usual way gets its chance: PIL and cv2, no, one and two workers of a DataLoader, in the environment
that a user has and in our exact profile, are each tried for one epoch, and the fastest meets ours. With
one core both have the same means. With two, the usual way computes beside its decoding workers while
ours leaves the second core idle: a study would train its next fold there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cxr import numerics
from tests.bench import phantoms
from tests.bench.train_rows import TRIED, Row
from tests.bench.train_setup import ROOT, STILL, recipe, turns
from tests.bench.train_usual import Job, Result

CORES = {1: "one core", 2: "two cores"}
READERS = ("PIL", "cv2")
WORKERS = (0, 1, 2)
ENVIRONMENTS = {"user": "a user's environment", "exact": "the exact profile"}


class Process:
    """A process that works jobs."""

    def __init__(self, environment: str) -> None:
        kept = {k: v for k, v in os.environ.items() if k not in (*numerics.PINS, "CXR_PINNED")}
        pins = numerics.PINS if environment == "exact" else {}
        # a pipe that nobody reads could fill up
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.train_usual"],
            cwd=ROOT, env={**kept, **pins, "PYTHONPATH": str(ROOT)}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
        )  # fmt: skip

    def ready(self) -> None:
        """Wait until everything is loaded."""
        self._line()

    def work(self, job: Job) -> Result:
        """Work a job and wait for its end."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(dataclasses.asdict(job)) + "\n")
        self._process.stdin.flush()
        return Result(**json.loads(self._line()))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
        self._errors.close()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return line
        self._errors.seek(0)
        raise ValueError(f"a contender of decode ended: {self._errors.read()[-2000:]}")


@dataclass(frozen=True)
class Way:
    """One of the usual ways."""

    reader: str
    workers: int
    environment: str

    @property
    def words(self) -> str:
        """Name it."""
        return f"{self.reader}, {self.workers} worker(s), {ENVIRONMENTS[self.environment]}"


USUAL = [Way(x, y, z) for x in READERS for y in WORKERS for z in ENVIRONMENTS]


def measure(
    *, train: int, val: int, batch: int, epochs: int, px: int, rounds: int, start: Mapping[str, Any]
) -> Iterator[Row]:
    """Try all usual ways, then train in turns; yield a row for each training.

    `start`: what the recipe says of first weights.
    """
    settings = recipe(epochs=epochs, batch_size=batch, augmentation=STILL, **start)
    job = Job(
        way="ours", workers=0, cores=1, px=px, seed=0, val=val,
        files=[str(path) for path in phantoms.images(train + val)],
        recipe=dataclasses.asdict(settings),
    )  # fmt: skip
    with contextlib.ExitStack() as stack:
        processes = {
            name: stack.enter_context(contextlib.closing(Process(name))) for name in ENVIRONMENTS
        }
        for process in processes.values():
            process.ready()
        _warm(processes, job)
        for cores in sorted({min(x, len(os.sched_getaffinity(0))) for x in CORES}):
            here, seconds = dataclasses.replace(job, cores=cores), {}
            for way in USUAL:
                row = _epoch(processes, here, way)
                seconds[way] = row.seconds
                yield row
            yield from _meet(processes, here, min(seconds, key=seconds.__getitem__), rounds)


def _warm(processes: Mapping[str, Process], job: Job) -> None:
    """Let each process load what is loaded late."""
    few = dataclasses.replace(job, files=job.files[:6], val=2, recipe={**job.recipe, "epochs": 1, "batch_size": 2})  # fmt: skip
    for name, process in processes.items():
        for way in (*READERS, *(["ours"] if name == "exact" else [])):
            process.work(dataclasses.replace(few, way=way))


def _epoch(processes: Mapping[str, Process], job: Job, way: Way) -> Row:
    """Train the usual way for one epoch."""
    once: dict[str, Any] = {**job.recipe, "epochs": 1}
    job = dataclasses.replace(job, way=way.reader, workers=way.workers, recipe=once)
    return _row(
        TRIED, f"{way.words}, {CORES[job.cores]}", job,
        processes[way.environment].work(job), "",
    )  # fmt: skip


def _meet(processes: Mapping[str, Process], job: Job, best: Way, rounds: int) -> Iterator[Row]:
    """Train in turns, a seed for each round."""
    for number, name in turns(("usual", "ours"), rounds):
        given = dataclasses.replace(job, seed=100 * job.cores + number)
        environment, about = "exact", "one process, the exact profile"
        if name == "usual":
            given = dataclasses.replace(given, way=best.reader, workers=best.workers)
            environment, about = best.environment, best.words
        found = processes[environment].work(given)
        yield _row("decode", f"{name}, {CORES[job.cores]}", given, found, about)


def _row(part: str, way: str, job: Job, found: Result, about: str) -> Row:
    train, batch = len(job.files) - job.val, int(job.recipe["batch_size"])
    return Row(
        part=part, way=way, px=job.px, round=job.seed,
        images=train // batch * batch * int(job.recipe["epochs"]),
        seconds=found.seconds, cpu_seconds=found.cpu_seconds, train_loss=found.losses[-1],
        val_auroc=found.val_auroc, val_accuracy=found.val_accuracy,
        decoding_seconds=found.decoding_seconds, about=about,
    )  # fmt: skip
