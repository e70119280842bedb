"""What a search works on: genes, genomes, and what their evaluation said.

A *gene* is one choice among `size` values, a *genome* the tuple of one value per gene, a
*generation* the list of genomes that are evaluated side by side. A *search* is a generator: it
yields a generation, is sent its objectives in the same order, and returns everything evaluated. So
it neither knows what a genome stands for nor where the evaluation runs.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

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

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"gene {self.name} needs at least one value, not {self.size}")


Genome: TypeAlias = tuple[int, ...]
"""One value per gene, in the genes' order."""


@dataclass(frozen=True)
class Evaluated:
    """A genome and what its evaluation said; raises ValueError for an objective that is no number."""

    generation: int
    """When it was evaluated; 0 is the first generation."""
    genome: Genome
    objectives: tuple[float, ...]
    """All to be minimised."""

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, self.objectives)):
            raise ValueError(
                f"the objectives of genome {self.genome} in generation {self.generation} must be "
                f"finite numbers, not {self.objectives}: did its training diverge?"
            )


Search: TypeAlias = Generator[list[Genome], list[tuple[float, ...]], list[Evaluated]]
"""Yields a generation to evaluate, is sent its objectives in order, returns all in order."""


def evaluated(
    generation: int, genomes: Sequence[Genome], objectives: Sequence[tuple[float, ...]]
) -> list[Evaluated]:
    """Put a generation's genomes and the objectives that were sent for them together."""
    return [
        Evaluated(generation, genome, tuple(values))
        for genome, values in zip(genomes, objectives, strict=True)
    ]


def objectives_NM(members: Sequence[Evaluated]) -> np.ndarray:
    """Return the members' objectives, one row each."""
    return np.array([member.objectives for member in members], dtype=np.float64)


def check(genes: Sequence[Gene], *, population: int, generations: int) -> None:
    """Raise ValueError for a search that can't run."""
    if not genes:
        raise ValueError("a search needs at least one gene: the space offers no choice")
    if population < 2 or generations < 1:
        raise ValueError(
            "a search needs a population of at least 2 and at least 1 generation, "
            f"not {population} and {generations}"
        )
