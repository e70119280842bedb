"""Which searches compete in a fold, on equal terms: the same space, rungs and images seen.

Random search is the baseline that a search has to beat: see `cxr.evolution.random_search`. Both
begin with the same networks, so that no method owes its lead to the luck of its first generation. A
grid, in a small space, tries everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cxr.evolution import exhaustive, nsga2, random_search
from cxr.evolution.genes import Evaluated, Genome, Search
from cxr.evolution.hypervolume import CHANCE
from cxr.evolution.survival import Reference
from cxr.evolution.together import run_together
from cxr.metrics import rank
from cxr.search.candidates import Which
from cxr.search.settings import Terms
from cxr.search.space import Space

GRID = 100_000
"""Genomes at most, allowed or not, of a space that a grid goes through."""


class Chooser(Protocol):
    """Chooses among children what evolution trains: a guide or a pre-filter."""

    draws: int
    """children for each place"""

    def prefer(self, genomes: Sequence[Genome], place: int, found: Sequence[Evaluated]) -> int:
        """Return the index of the one that takes a generation's place, by what was found so far."""

    def proof(self, found: Sequence[Evaluated]) -> tuple[bool, rank.Tau]:
        """Return whether it chose at all, and how what it says ranks networks, by what was found."""


def searches(
    space: Space, terms: Terms, *, folds: int, seed: int, choosers: Sequence[Chooser] = ()
) -> dict[Which, Search]:
    """Return the searches by fold and method; `choosers` one for each fold, or none.

    Raises ValueError if the space is too small for what is asked (the methods might differ in how
    much they try), or too large for a grid.
    """
    if terms.methods == ["grid"]:
        return {(fold, "grid"): _grid(space, terms) for fold in range(folds)}
    found: dict[Which, Search] = {}
    for fold in range(folds):
        first = _first(space, terms, fold=fold, seed=seed)
        for method in terms.methods:
            found[fold, method] = (
                _random(space, terms, fold=fold, seed=seed)
                if method == "random"
                else _evolved(
                    space, terms, fold=fold, seed=seed, first=first,
                    chooser=choosers[fold] if choosers else None,
                )
            )  # fmt: skip
    return found


def _random(space: Space, terms: Terms, *, fold: int, seed: int) -> Search:
    return random_search.random_search(
        space.genes, rungs=[rung.networks for rung in terms.rungs], generations=terms.generations,
        seed=seed, stream=("search", fold), allowed=space.allowed, identity=space.identity,
        reference=reference(space),
    )  # fmt: skip


def _evolved(
    space: Space, terms: Terms, *, fold: int, seed: int, first: Sequence[Genome],
    chooser: Chooser | None,
) -> Search:  # fmt: skip
    choice = {"draws": chooser.draws, "prefer": chooser.prefer} if chooser else {}
    return nsga2.nsga2(
        space.genes, rungs=[rung.networks for rung in terms.rungs], generations=terms.generations,
        seed=seed, stream=("search", fold), allowed=space.allowed, identity=space.identity,
        initial=first, reference=reference(space), **choice,  # type: ignore[arg-type]
    )  # fmt: skip


def reference(space: Space) -> Reference:
    """Return what the front is to cover: the hypervolume that is reported, up to the cap of MACs."""
    assert space.caps.macs is not None  # stages.search sees to it
    return 1 - CHANCE, float(space.caps.macs)


def _first(space: Space, terms: Terms, *, fold: int, seed: int) -> list[Genome]:
    """Return random search's generation 0: what it draws does not depend on what it finds.

    Raises ValueError if it would draw fewer networks than it is asked for.
    """
    search = _random(space, terms, fold=fold, seed=seed)
    drawn = run_together({0: search}, lambda asked: [(0.0, 0.0)] * len(asked))[0]
    drawn = [member for member in drawn if member.rung == 0]
    networks = terms.rungs[0].networks
    if len(drawn) < networks * terms.generations:
        raise ValueError(
            f"{networks} networks x {terms.generations} generations are "
            f"{networks * terms.generations} networks, but only {len(drawn)} different ones were "
            "found under the caps: lower one of the two, raise the caps or widen the space"
        )
    return [member.genome for member in drawn if member.generation == 0]


def _grid(space: Space, terms: Terms) -> Search:
    """Return the search through the whole space; raise ValueError if it is larger than was said."""
    if space.size() > GRID:
        raise ValueError(
            f"the space has {space.size():,} genomes, a grid goes through {GRID:,} at most: search "
            "it with methods [evolved, random], or offer fewer choices"
        )
    known = {space.identity(genome) for genome in space.all() if space.allowed(genome)}
    if len(known) > terms.rungs[0].networks:
        raise ValueError(
            f"the grid has {len(known)} networks under the caps, rungs[0].networks lets in "
            f"{terms.rungs[0].networks}: raise it, or offer fewer choices"
        )
    return exhaustive.exhaustive(
        space.all(), rung=0, allowed=space.allowed, identity=space.identity
    )
