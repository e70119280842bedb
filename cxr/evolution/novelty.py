"""Lets a genome pass only if it is allowed and new: nothing is evaluated twice."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from cxr import seeding
from cxr.evolution.genes import Gene, Genome

DRAWS = 1000
"""How often a uniform draw is tried for one place in a generation."""


def uniform(genes: Sequence[Gene], seed: int, *names: str | int) -> Iterator[Genome]:
    """Yield DRAWS genomes whose values are drawn uniformly, each from a stream of its own."""
    for attempt in range(DRAWS):
        rng = seeding.stream(seed, *names, "uniform", attempt)
        yield tuple(int(rng.integers(gene.size)) for gene in genes)


def nothing_allowed() -> ValueError:
    """Return the error of a search that finds nothing to begin with."""
    return ValueError(f"no allowed genome found in {DRAWS} draws: loosen the caps")


def itself(genome: Genome) -> Hashable:
    """The identity of genomes that each stand for something of their own."""
    return genome


class Novelty:
    """Remembers the identities of those that passed."""

    def __init__(
        self, allowed: Callable[[Genome], bool], identity: Callable[[Genome], Hashable]
    ) -> None:
        self._allowed = allowed
        self._identity = identity
        self._passed: set[Hashable] = set()

    def admit(self, genome: Genome) -> bool:
        """Say whether `genome` is allowed and the first of its identity; remember it if so."""
        if not list(self.fresh([genome])):
            return False
        self._passed.add(self._identity(genome))
        return True

    def fresh(self, candidates: Iterable[Genome]) -> Iterator[Genome]:
        """Yield those that would pass, each identity once; none is remembered."""
        seen: set[Hashable] = set()
        for genome in candidates:
            mark = self._identity(genome)
            if mark not in self._passed and mark not in seen and self._allowed(genome):
                seen.add(mark)
                yield genome

    def first(self, candidates: Iterable[Genome]) -> Genome | None:
        """Return the first candidate that passes; None if none does."""
        return next(filter(self.admit, candidates), None)
