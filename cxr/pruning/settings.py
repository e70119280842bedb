"""What a pruning is told beside the parent: how much may stay, who is tried, who is judged by what."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

from cxr.pruning import methods

Fitness = Literal["auroc", "loss", "distance"]
"""On search_val: macro AUROC, or the plain loss; distance: of the scores from the parent's, on train."""


@dataclass(frozen=True, kw_only=True)
class Latency:
    """A latency table of this repository's own format, bound to its content."""

    file: str
    """path under the project"""
    sha256: str
    """of the file: it, and not the path, is what the result depends on"""


@dataclass(frozen=True, kw_only=True)
class Survivors:
    """Who of a generation is trained briefly and judged again before it may have children."""

    networks: int
    """of a generation, the best"""
    samples: int
    """images that each is shown, taught by the parent"""

    def __post_init__(self) -> None:
        _at_least(self, networks=1, samples=1)


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Who is trained briefly at the end, beside all baselines, before search_val says who is handed over."""

    evolved: int
    """of the search's networks, the best"""
    samples: int
    """images that each is shown, taught by the parent"""

    def __post_init__(self) -> None:
        _at_least(self, evolved=1, samples=1)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The terms on which cuts compete."""

    shares: list[float]
    """of the parent's MACs that may stay, falling; each is searched for itself"""
    window: float
    """the evolved cut has at least this part of the MACs allowed"""
    fitness: Fitness
    """what is searched for"""
    worst_label: float | None
    """the most that any label's AUROC may fall below the parent's; null: no bound"""
    population: int
    """networks of a generation"""
    generations: int
    """the first included"""
    survivors: Survivors | None
    """null: no network is trained during the search"""
    contest: Contest
    """who is trained briefly at the end"""

    def __post_init__(self) -> None:
        _at_least(self, population=2, generations=1)
        for share in self.shares:
            methods.percent(share)
        falls = all(one > other for one, other in itertools.pairwise(self.shares))
        if not self.shares or not falls:
            raise ValueError(f"shares must fall, each above 0 and below 1, not {self.shares}")
        if not 0 < self.window <= 1:
            raise ValueError(f"window must be above 0 and at most 1, not {self.window}")
        if self.worst_label is not None and not 0 <= self.worst_label < 1:
            raise ValueError(
                f"worst_label must be null or at least 0 and below 1, not {self.worst_label}"
            )
        if self.survivors and self.survivors.networks >= self.population:
            raise ValueError(
                f"survivors.networks must be fewer than the population of {self.population}, not "
                f"{self.survivors.networks}"
            )


def _at_least(record: object, **least: int) -> None:
    for name, value in least.items():
        if getattr(record, name) < value:
            raise ValueError(f"{name} must be at least {value}, not {getattr(record, name)}")
