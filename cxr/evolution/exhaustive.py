"""Exhaustive search: every allowed genome once, for spaces so small that nothing needs to be guessed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

from cxr.evolution import novelty
from cxr.evolution.genes import Asked, Genome, Search, evaluated


def exhaustive(
    genomes: Iterable[Genome],
    *,
    rung: int,
    allowed: Callable[[Genome], bool],
    identity: Callable[[Genome], Hashable] = novelty.itself,
) -> Search:
    """Judge the allowed genomes in the given order, each identity once, in one generation at one rung.

    `rung` is how the caller names that expense. Raises ValueError if none is allowed.
    """
    new = novelty.Novelty(allowed, identity)
    asked = [Asked(genome, rung) for genome in genomes if new.admit(genome)]
    if not asked:
        raise ValueError("none of the genomes to be tried is allowed: loosen the caps")
    return evaluated(0, asked, (yield asked))
