"""NSGA-II: evolution towards the best trade-offs between several objectives.

Source: Deb et al. (2002), section III-C (see `sorting`). Differences: no genome is evaluated twice,
a genome that is not allowed is redrawn instead of ranked by its violation, and the crowding
distances in the choice of parents are those among the survivors, not in the union they came from.
A generation may be judged on several rungs (see `halving`): only what reached the top rung can
become a parent, so a network that was judged cheaply never outlives one that was judged in earnest.

Every draw has a stream of its own, named by generation, place and attempt: a search of 10
generations is the exact beginning of one of 20.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

import numpy as np

from cxr import seeding
from cxr.evolution import halving, novelty, selection, survival, variation
from cxr.evolution.genes import Evaluated, Gene, Genome, Search, check, objectives_NM
from cxr.evolution.selection import Orders
from cxr.evolution.survival import Reference

CHILDREN = 1000
"""How often a child is tried for one place in a generation, before a uniform draw takes it."""

Preference = Callable[[list[Genome], int, Sequence[Evaluated]], int]
"""New genomes, the place in the generation, all evaluations so far → index of the one that takes it."""
Repair = Callable[[Genome, np.random.Generator], Genome]
"""A child or a draw as it came, and its own stream of chance → what is tried instead of it."""


def nsga2(
    genes: Sequence[Gene],
    *,
    rungs: Sequence[int],
    generations: int,
    seed: int,
    stream: tuple[str | int, ...],
    allowed: Callable[[Genome], bool],
    identity: Callable[[Genome], Hashable] = novelty.itself,
    initial: Sequence[Genome] = (),
    reference: Reference | None = None,
    draws: int = 1,
    prefer: Preference = lambda genomes, place, found: 0,
    repair: Repair | None = None,
) -> Search:
    """Search; each generation holds rungs[0] allowed genomes of identities not seen before.

    rungs[k] of them are judged at rung k (strictly falling; one rung: no halving). Generation 0: of
    `initial` the allowed ones, as many as there are places, then uniform draws. Where the space is
    used up a generation is smaller, and an empty one ends the search.

    Who climbs, survives and wins a tournament is decided by front, then by crowding; with a
    `reference` (two objectives) for one half by the first objective alone, for the other by front and
    by the area up to there that a genome alone covers (see `survival`). From generation 1 on, each
    place is given to one of up to `draws` new children, the one whose index `prefer` returns: a cheap
    guess of what is good, which must depend on nothing else. The others are forgotten and may come
    again. Where few genomes are allowed, or wanted, `repair` turns every child and every draw into one
    that is; those of `initial` stay as they are.

    Raises ValueError, when first asked for a generation, for rungs that don't fall and if no
    allowed genome is found at all.
    """
    check(genes, rungs=rungs, generations=generations)
    population = rungs[0]
    new = novelty.Novelty(allowed, identity)
    names = (*stream, "nsga2")
    everyone: list[Evaluated] = []
    parents: list[Evaluated] = []
    for generation in range(generations):
        if generation == 0:
            genomes = _begin(genes, population, new, initial, repair, seed, *names)
        else:
            known = [parent.genome for parent in parents]
            orders = survival.orders(objectives_NM(parents), reference)
            places = _children(genes, population, known, orders, repair, seed, *names, generation)
            genomes = _choose(places, new, draws, prefer, everyone)
        if not genomes:
            break
        judged = yield from halving.climb(generation, genomes, rungs, reference)
        everyone += judged
        union = parents + halving.at_top(judged, rungs)
        living = survival.survivors(objectives_NM(union), population, reference)
        parents = [union[index] for index in living]
    return everyone


def _begin(
    genes: Sequence[Gene], size: int, new: novelty.Novelty, initial: Sequence[Genome],
    repair: Repair | None, seed: int, *names: str | int,
) -> list[Genome]:  # fmt: skip
    """Return generation 0; where uniform draws are never allowed, children of `initial` fill it."""
    ranges = [range(gene.size) for gene in genes]
    for genome in initial:
        fits = len(genome) == len(genes) and all(map(range.__contains__, ranges, genome))
        assert fits, f"{genome} is no genome of these {len(genes)} genes"
    genomes = list(itertools.islice(filter(new.admit, initial), size))
    while len(genomes) < size:
        place = (*names, 0, len(genomes))
        equals = [[(0.0, 0.0)] * len(genomes)]  # nothing is known of them yet
        candidates = itertools.chain(
            novelty.uniform(genes, seed, *place), _offspring(genes, genomes, equals, seed, *place)
        )
        found = new.first(_repaired(candidates, repair, seed, *place))
        if found is None:
            break
        genomes.append(found)
    if not genomes:
        raise novelty.nothing_allowed()
    return genomes


def _children(
    genes: Sequence[Gene], size: int, parents: Sequence[Genome], orders: Orders,
    repair: Repair | None, seed: int, *names: str | int,
) -> Iterator[tuple[Iterator[Genome], Iterator[Genome]]]:  # fmt: skip
    """Yield for each place what may stand there: children of the parents, and uniform draws if there are none."""
    for number in range(size):
        place = (*names, number)
        children = _offspring(genes, parents, orders, seed, *place)
        others = novelty.uniform(genes, seed, *place)
        yield (
            _repaired(children, repair, seed, *place, "of parents"),
            _repaired(others, repair, seed, *place, "of chance"),
        )


def _choose(
    places: Iterator[tuple[Iterator[Genome], Iterator[Genome]]], new: novelty.Novelty, draws: int,
    prefer: Preference, found: Sequence[Evaluated],
) -> list[Genome]:  # fmt: skip
    """Return for each place the preferred of its first `draws` new children; end where nothing is new."""
    genomes: list[Genome] = []
    for place, (children, others) in enumerate(places):
        fresh = list(itertools.islice(new.fresh(children), draws))
        fresh = fresh or list(itertools.islice(new.fresh(others), 1))
        if not fresh:
            break
        genomes.append(fresh[prefer(fresh, place, found) if len(fresh) > 1 else 0])
        new.admit(genomes[-1])
    return genomes


def _offspring(
    genes: Sequence[Gene], parents: Sequence[Genome], orders: Orders,
    seed: int, *names: str | int,
) -> Iterator[Genome]:  # fmt: skip
    """Yield CHILDREN children of parents that won their tournament; none where there is no parent."""
    if not parents:
        return
    for attempt in range(CHILDREN):
        rng = seeding.stream(seed, *names, "child", attempt)
        one, other = (parents[selection.tournament(orders, rng=rng)] for _ in range(2))
        yield variation.mutate(variation.crossover(one, other, genes, rng=rng), genes, rng=rng)


def _repaired(
    genomes: Iterable[Genome], repair: Repair | None, seed: int, *names: str | int
) -> Iterator[Genome]:
    """Yield the genomes, each repaired with a stream of its own if there is something to repair."""
    for attempt, genome in enumerate(genomes):
        if repair is None:
            yield genome
        else:
            yield repair(genome, seeding.stream(seed, *names, "repair", attempt))
