"""NSGA-II: evolution towards the best trade-offs between several objectives.

Source: Deb et al. (2002), section III-C (see `sorting`). Differences: no genome is evaluated twice,
a genome that is not allowed is redrawn instead of ranked by its violation, and the crowding
distances in the choice of parents are those among the survivors, not in the union they came from.

Every draw has a stream of its own, named by generation, place and attempt: a search of 10
generations is the exact beginning of one of 20.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np

from cxr import seeding
from cxr.evolution import novelty, selection, sorting, survival, variation
from cxr.evolution.genes import Evaluated, Gene, Genome, Search, check, evaluated, objectives_NM

CHILDREN = 100
"""How often a child is tried for one place in a generation, before a uniform draw takes it."""


def nsga2(
    genes: Sequence[Gene],
    *,
    population: int,
    generations: int,
    seed: int,
    stream: tuple[str | int, ...],
    allowed: Callable[[Genome], bool],
    identity: Callable[[Genome], Hashable] = novelty.itself,
    initial: Sequence[Genome] = (),
) -> Search:
    """Search; each generation holds `population` allowed genomes of identities not seen before.

    Generation 0: of `initial` the allowed ones, at most `population` of them, then uniform draws.
    Where the space is used up a generation is smaller, and an empty one ends the search. Raises
    ValueError, when first asked for a generation, if no allowed genome is found at all.
    """
    check(genes, population=population, generations=generations)
    new = novelty.Novelty(allowed, identity)
    names = (*stream, "nsga2")
    everyone: list[Evaluated] = []
    parents: list[Evaluated] = []
    for generation in range(generations):
        if generation == 0:
            genomes = _begin(genes, population, new, initial, seed, *names)
        else:
            genomes = _children(genes, population, new, parents, seed, *names, generation)
        if not genomes:
            break
        children = evaluated(generation, genomes, (yield genomes))
        everyone += children
        union = parents + children
        parents = [union[index] for index in survival.survivors(objectives_NM(union), population)]
    return everyone


def _begin(
    genes: Sequence[Gene], size: int, new: novelty.Novelty, initial: Sequence[Genome],
    seed: int, *names: str | int,
) -> list[Genome]:  # fmt: skip
    """Return generation 0; where uniform draws are never allowed, children of `initial` fill it."""
    ranges = [range(gene.size) for gene in genes]
    for genome in initial:
        fits = len(genome) == len(genes) and all(map(range.__contains__, ranges, genome))
        assert fits, f"{genome} is no genome of these {len(genes)} genes"
    genomes = list(itertools.islice(filter(new.admit, initial), size))
    while len(genomes) < size:
        place = (*names, 0, len(genomes))
        equals = np.zeros((len(genomes), 1))  # nothing is known of them yet
        found = new.first(
            itertools.chain(
                novelty.uniform(genes, seed, *place),
                _offspring(genes, genomes, equals, seed, *place),
            )
        )
        if found is None:
            break
        genomes.append(found)
    if not genomes:
        raise novelty.nothing_allowed()
    return genomes


def _children(
    genes: Sequence[Gene], size: int, new: novelty.Novelty, parents: Sequence[Evaluated],
    seed: int, *names: str | int,
) -> list[Genome]:  # fmt: skip
    """Return the next generation: children of the parents; where none is new, uniform draws."""
    known = [parent.genome for parent in parents]
    objectives = objectives_NM(parents)
    genomes: list[Genome] = []
    while len(genomes) < size:
        place = (*names, len(genomes))
        found = new.first(
            itertools.chain(
                _offspring(genes, known, objectives, seed, *place),
                novelty.uniform(genes, seed, *place),
            )
        )
        if found is None:
            break
        genomes.append(found)
    return genomes


def _offspring(
    genes: Sequence[Gene], parents: Sequence[Genome], objectives: np.ndarray,
    seed: int, *names: str | int,
) -> Iterator[Genome]:  # fmt: skip
    """Yield CHILDREN children of parents that won their tournament; none where there is no parent."""
    if not parents:
        return
    ranks, crowding = sorting.standing(objectives)
    for attempt in range(CHILDREN):
        rng = seeding.stream(seed, *names, "child", attempt)
        one, other = (parents[selection.tournament(ranks, crowding, rng=rng)] for _ in range(2))
        yield variation.mutate(variation.crossover(one, other, rng=rng), genes, rng=rng)
