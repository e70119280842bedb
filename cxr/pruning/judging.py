"""Who judges the networks that a pruning asks for: each once, on record, in as many processes as there are.

A record's key holds what a result depends on beside the folder it lies in (which stands for the parent,
the data, the settings and the code): fold, channels kept, and images shown. Neither the search nor the
share that asked is in it, so a network that several ask for is judged once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from cxr.evolution import records
from cxr.pruning import brief, cuts, fitness
from cxr.pruning.start import Start
from cxr.training.recipe import Distillation, Optimizer


class Network(NamedTuple):
    """One cut network."""

    fold: int
    kept: Mapping[str, list[int]]
    """group of channels: the channels kept; groups that are not named stay whole"""
    macs: int
    """as they were counted without building it"""


@dataclass(kw_only=True)
class Judge:
    """Judges cut networks and keeps the records."""

    starts: Sequence[Start]
    """by fold"""
    optimizer: Optimizer
    """of short trainings"""
    distillation: Distillation
    seed: int
    folder: Path
    """of the records"""
    words: str
    """for lines of progress"""
    _asked: dict[str, None] = field(default_factory=dict)

    def cut(self, networks: Sequence[Network]) -> list[dict[str, Any]]:
        """Return what `fitness.evaluate` says of each network."""
        tasks = {}
        for one in networks:
            start = self.starts[one.fold]
            tasks[f"cut {_name(one)}"] = fitness.Task(
                start.fold, start.taught_NL, one.kept, start.space.encoding.cost
            )
        self._asked |= dict.fromkeys(tasks)
        found = records.evaluate(fitness.evaluate, tasks, self.folder, words=self.words)
        said = [found[f"cut {_name(one)}"] for one in networks]
        for one, result in zip(networks, said, strict=True):
            assert result["macs"] == one.macs, (
                f"{_name(one)}: {result['macs']}, not {one.macs} MACs"
            )
        return said

    def trained(self, networks: Sequence[Network], *, samples: int) -> list[dict[str, Any]]:
        """Return what `brief.train` says of each network after so many images."""
        tasks = {
            f"trained {samples}, {_name(one)}": brief.Task(
                fold=self.starts[one.fold].fold, taught_NL=self.starts[one.fold].taught_NL,
                kept=one.kept, optimizer=self.optimizer, distillation=self.distillation,
                samples=samples, seed=self.seed,
            )
            for one in networks
        }  # fmt: skip
        words = f"{self.words}, short trainings"
        found = records.evaluate(brief.train, tasks, self.folder, words=words)
        return [found[f"trained {samples}, {_name(one)}"] for one in networks]

    @property
    def evaluations(self) -> int:
        """How many different networks were judged without training, on record or anew."""
        return len(self._asked)


def _name(network: Network) -> str:
    """Name a network by its fold and a hash of the channels it keeps."""
    return f"fold {network.fold}, channels {cuts.digest(network.kept)}"
