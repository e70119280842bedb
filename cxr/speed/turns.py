"""Contenders in processes of their own, timed in turns: what disturbs the machine disturbs all of them.

Each process stays, so that it pays for loading once, and works only when it is its turn; the order
turns from round to round, so that none always comes after the same one. A process serves one
contender alone: its peak of memory is that contender's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cxr import numerics, progress
from cxr.speed.contender import Spec

ROOT = Path(__file__).resolve().parents[2]
Engine = Literal["onnxruntime", "openvino", "pytorch"]
_RUNS = (3, 200)  # fewest and most of a turn


class Failed(Exception):
    """A contender's process ended before it had answered; `code` is its exit status."""

    def __init__(self, words: str, code: int) -> None:
        super().__init__(words)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One way of scoring one model."""

    model: str
    engine: Engine
    precision: str
    """float32 or int8"""
    exact: bool
    """PyTorch only: in the product's own profile (one thread, AVX2), else as it is installed"""
    file: Path
    """the ONNX file, or the model's folder for PyTorch"""
    batch: int
    threads: int

    def words(self) -> str:
        """Say it for a person."""
        profile = ", exact profile" if self.exact else ""
        return (
            f"{self.model}, {self.engine}{profile}, {self.precision}, batch {self.batch}, "
            f"{self.threads} thread(s)"
        )

    def spec(self, images: Path, library: Path) -> Spec:
        """Return what its process is told."""
        return Spec(
            engine=self.engine, file=str(self.file.resolve()), images=str(images.resolve()),
            batch=self.batch, threads=self.threads, exact=self.exact, library=str(library.resolve()),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was found of one contender."""

    contender: Contender
    ready: Mapping[str, Any]
    """version, load_ms, first_ms, imports_bytes, input_sha256, output"""
    turns_ms: list[list[float]] = field(default_factory=list)
    """of each turn the milliseconds of each run"""
    processor_ms: list[float] = field(default_factory=list)
    """of each turn the processor's time per run, all threads together: it leaves out waiting for others"""
    peak_bytes: int
    """of its process, the engine and loading included"""

    def quartiles_ms(self) -> list[float]:
        """Return the lower quartile, the median and the upper quartile over all runs."""
        every = np.concatenate([np.asarray(turn) for turn in self.turns_ms])
        return np.quantile(every, [0.25, 0.5, 0.75]).tolist()


def times_faster(than: Measured, measured: Measured) -> list[float]:
    """Return quartiles and median of how many times faster `measured` is, turn by turn.

    Both must have been measured side by side.
    """
    ratios = [
        float(np.median(slow) / np.median(fast))
        for slow, fast in zip(than.turns_ms, measured.turns_ms, strict=True)
    ]
    return np.quantile(ratios, [0.25, 0.5, 0.75]).tolist()


def environment(*, exact: bool) -> dict[str, str]:
    """Return the environment of a contender: with the product's pins, or as a user without them has it."""
    found = {
        name: value
        for name, value in os.environ.items()
        if name not in (*numerics.PINS, "CXR_PINNED")
    }
    path = [str(ROOT), *filter(None, [found.get("PYTHONPATH")])]
    return {**found, **(numerics.PINS if exact else {}), "PYTHONPATH": os.pathsep.join(path)}


class Process:
    """A contender's process: `ready` when made, then one `turn` after the other, until `end`."""

    def __init__(
        self, contender: Contender, images: Path, library: Path,
        enter: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        """Start it and wait until it has scored once; `enter` is called in the new process first."""
        spec = contender.spec(images, library)
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._words = contender.words()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cxr.speed.contender", json.dumps(dataclasses.asdict(spec))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True,
            env=environment(exact=contender.exact), preexec_fn=enter,
        )  # fmt: skip
        try:
            self.ready = self._answer()
        except BaseException:
            self.close()
            raise

    def turn(self, runs: int) -> dict[str, Any]:
        """Let it score so often; return seconds and processor_seconds."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended: the answer will say so
            self._process.stdin.write(f"{runs}\n")
            self._process.stdin.flush()
        return self._answer()

    def end(self) -> int:
        """Let it end by itself; return the peak of its memory in bytes."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        peak = self._answer()["peak_bytes"]
        self.close()
        return peak

    def close(self) -> None:
        """End it whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()
        self._said.close()

    def _answer(self) -> dict[str, Any]:
        """Read its next line; raise Failed with its last words if there is none."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        code = self._process.wait()
        self._said.seek(0)
        last = [words.strip() for words in self._said.read().splitlines() if words.strip()][-1:]
        why = "killed" if code == -9 else (last or [f"exit status {code}"])[0]
        raise Failed(f"{self._words}: {why}", code)


@contextlib.contextmanager
def process(
    contender: Contender, images: Path, library: Path, enter: Callable[[], None] | None = None
) -> Iterator[Process]:
    """Start a contender's process and end it with the block, whatever happens."""
    started = Process(contender, images, library, enter)
    try:
        yield started
    finally:
        started.close()


def order(count: int, number: int) -> list[int]:
    """Return in which order round `number` goes: every second goes backwards, and each pair turns."""
    turned = [(place + number // 2) % count for place in range(count)]
    return turned[:: -1 if number % 2 else 1]


def side_by_side(
    contenders: Sequence[Contender], images: Path, library: Path, *, rounds: int, seconds: float,
    words: str,
) -> list[Measured]:  # fmt: skip
    """Time contenders in turns of about so many seconds; raise Failed if one can't answer."""
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(process(one, images, library)) for one in contenders]
        runs = [_runs(one, seconds) for one in started]
        turns: list[list[dict[str, Any]]] = [[] for _ in started]
        for number in progress.track(range(rounds), total=rounds, words=words):
            for place in order(len(started), number):
                turns[place].append(started[place].turn(runs[place]))
        return [
            Measured(
                contender=contender,
                ready=one.ready,
                turns_ms=[[1e3 * x for x in turn["seconds"]] for turn in own],
                processor_ms=[
                    1e3 * turn["processor_seconds"] / len(turn["seconds"]) for turn in own
                ],
                peak_bytes=one.end(),
            )
            for contender, one, own in zip(contenders, started, turns, strict=True)
        ]


def _runs(one: Process, seconds: float) -> int:
    """Return how many runs fill a turn, by one short turn that does not count."""
    first = one.turn(_RUNS[0])["seconds"]
    return int(np.clip(seconds / float(np.median(first)), *_RUNS))
