"""What a search works on: genes, genomes, and what their evaluation said.

A *gene* is one choice among `size` values, a *genome* the tuple of one value per gene, a
*generation* the list of genomes that are compared side by side. A *rung* is how much is spent on
judging one genome: all of a generation are judged at rung 0, the best of them again, at more
expense, at rung 1, and so on up to the *top rung*. A *search* is a generator: it yields what to
judge next (all at one rung), is sent the objectives in the same order, and returns every
evaluation. So it neither knows what a genome or a rung stands for nor where the evaluation runs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Gene:
    """One choice; raises ValueError if there is nothing to choose from."""

    name: str
    """For messages."""
    size: int
    """How many values there are: 0 .. size - 1."""
    ordered: bool
    """Whether near values mean similar things: mutation then steps to near ones, else it redraws."""
    group: str = ""
    """Genes of one group mean something together (a stage's): half of the children inherit a group
    whole. "" : the gene stands for itself."""

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"gene {self.name} needs at least one value, not {self.size}")


Genome: TypeAlias = tuple[int, ...]
"""One value per gene, in the genes' order."""


class Asked(NamedTuple):
    """What a search wants judged."""

    genome: Genome
    rung: int
    """0 is the cheapest."""


@dataclass(frozen=True)
class Evaluated:
    """A genome and what its evaluation said; raises ValueError for an objective that is no number."""

    generation: int
    """When it was evaluated; 0 is the first generation."""
    rung: int
    """At what expense; a genome that climbs stands in the list once per rung."""
    genome: Genome
    objectives: tuple[float, ...]
    """All to be minimised."""

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, self.objectives)):
            raise ValueError(
                f"the objectives of genome {self.genome} in generation {self.generation} must be "
                f"finite numbers, not {self.objectives}: did its training diverge?"
            )


Search: TypeAlias = Generator[list[Asked], list[tuple[float, ...]], list[Evaluated]]
"""Yields what to judge, all at one rung, is sent the objectives in order, returns all in order."""


def evaluated(
    generation: int, asked: Sequence[Asked], objectives: Sequence[tuple[float, ...]]
) -> list[Evaluated]:
    """Put what was asked and the objectives that were sent for it together."""
    return [
        Evaluated(generation, rung, genome, tuple(values))
        for (genome, rung), values in zip(asked, objectives, strict=True)
    ]


def objectives_NM(members: Sequence[Evaluated]) -> np.ndarray:
    """Return the members' objectives, one row each."""
    return np.array([member.objectives for member in members], dtype=np.float64)


def check(genes: Sequence[Gene], *, rungs: Sequence[int], generations: int) -> None:
    """Raise ValueError for a search that can't run."""
    if not genes:
        raise ValueError("a search needs at least one gene: the space offers no choice")
    if not rungs or rungs[0] < 2 or generations < 1:
        raise ValueError(
            "a search needs a population of at least 2 at its first rung and at least 1 "
            f"generation, not {list(rungs)} and {generations}"
        )
    falls = all(lower > upper for lower, upper in itertools.pairwise(rungs))
    if not falls or rungs[-1] < 1:
        raise ValueError(
            "each rung must judge fewer networks than the one below, the top rung at least 1, not "
            f"{list(rungs)}: leave a rung out or lower its number"
        )
