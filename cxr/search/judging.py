"""Who trains the networks that a search asks for: each once, on record, in as many processes as there are.

A record's key holds all that a result depends on beside the folder it lies in (which stands for the
data, the training, the seed and the code): fold, network, images shown and draws. Neither the
number of generations nor the rungs are in it, so a search that is extended trains only what is new.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from cxr import architectures, artifacts, progress, scratch, workers
from cxr.evolution import records
from cxr.search import fitness
from cxr.search.candidates import Which
from cxr.training.loop import Tensors

_SIZE_PX = 64  # any will do to compare networks, where a network takes any


class Asking(NamedTuple):
    """One training that is asked for."""

    fold: int
    network: str
    """canonical JSON of an architecture, or a timm name"""
    samples: int
    """images to be shown"""
    draws: str
    """name of the random draws"""


@dataclass
class Judge:
    """Trains networks and keeps the records."""

    folds: Sequence[fitness.Task]
    """each fold's task; network, samples and draws are filled in"""
    folder: Path
    """of the records"""
    words: str
    """for lines of progress"""
    _pace: progress.Pace = field(default_factory=progress.Pace)

    def train(self, asked: Sequence[Asking], *, finalists: bool = False) -> list[dict[str, Any]]:
        """Return what `fitness` says of each network after its training; of finalists more."""
        function = fitness.finalist if finalists else fitness.evaluate
        kind = "finalist" if finalists else "candidate"
        keys = [
            f"{kind}: fold {fold}, network {network}, {samples} samples, draws {draws}"
            for fold, network, samples, draws in asked
        ]
        known = dict(zip(keys, asked, strict=True))
        # the longest first, so that no process is left with a long one while the others wait
        work = {
            key: self._task(known[key]) for key in sorted(known, key=lambda x: -_macs(known[x]))
        }
        before = self._recorded()
        with self._pace.measure() as measured:
            found = records.evaluate(function, work, self.folder, words=self.words)
            fresh = self._recorded() - before
            measured(round(fresh * sum(one.samples for one in asked) / max(len(asked), 1)))
        return [found[key] for key in keys]

    def proxies(
        self, networks: Sequence[Which], names: Sequence[str]
    ) -> dict[Which, dict[str, float | None]]:
        """Return what the named proxies say of each network before it is trained."""
        keys = {which: f"proxies {' '.join(names)}: fold {which[0]}, network {which[1]}" for which in networks}  # fmt: skip
        work = {key: self._task(Asking(*which, 1, "proxies")) for which, key in keys.items()}
        function = functools.partial(fitness.proxies, names=tuple(names))
        found = records.evaluate(function, work, self.folder, words=f"{self.words}, proxies")
        return {which: found[key] for which, key in keys.items()}

    def tensors(self, asked: Sequence[Asking], *, run: str) -> list[tuple[Tensors, dict[str, Any]]]:
        """Train networks once more; return the backbones' tensors and what was found, kept for `run`."""
        paths = {one: self.kept(run) / f"{_short(one)}.safetensors" for one in asked}
        missing = [one for one, path in paths.items() if scratch.read_tensors(path) is None]
        work = [self._task(one) for one in missing]
        for place, (made, result) in workers.arrivals(
            fitness.tensors, work, words=f"{self.words}, picks"
        ):
            artifacts.write_tensors(paths[missing[place]], made, result)
        found = [scratch.read_tensors(paths[one]) for one in asked]
        return [kept for kept in found if kept is not None]

    def kept(self, run: str) -> Path:
        """Return the folder of the run's tensors, which goes when the stage is done."""
        return self.folder / f"tensors-{run}"

    def seconds(self, samples: int) -> float | None:
        """Guess how long training on so many images takes; None as long as nothing was trained."""
        return self._pace.seconds(samples)

    def _task(self, asked: Asking) -> fitness.Task:
        fold, network, samples, draws = asked
        return fitness.given(self.folds[fold], network, samples=samples, draws=draws)

    def _recorded(self) -> int:
        return len(sorted(self.folder.glob("*.json")))


def _macs(asked: Asking) -> float:
    """Guess the effort of a training, only to put them in order; a timm network is not counted: the most."""
    if not asked.network.startswith("{"):
        return math.inf
    architecture = json.loads(asked.network)
    size_px = architectures.fixed_px(architecture) or _SIZE_PX
    return float(asked.samples * architectures.cost(architecture, size_px=size_px).macs)


def _short(asked: Asking) -> str:
    return hashlib.sha256(repr(tuple(asked)).encode()).hexdigest()[:32]
