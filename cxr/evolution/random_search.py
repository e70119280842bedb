"""Random search: uniform draws of allowed genomes, as many as NSGA-II evaluates, for comparison.

Source: Bergstra & Bengio (2012), "Random search for hyper-parameter optimization", JMLR 13:281-305.
In searches for architectures it is the baseline that is hard to beat: Li & Talwalkar (2019),
"Random search and reproducibility for neural architecture search", UAI.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from cxr.evolution import novelty
from cxr.evolution.genes import Evaluated, Gene, Genome, Search, check, evaluated


def random_search(
    genes: Sequence[Gene],
    *,
    population: int,
    generations: int,
    seed: int,
    stream: tuple[str | int, ...],
    allowed: Callable[[Genome], bool],
    identity: Callable[[Genome], Hashable] = novelty.itself,
) -> Search:
    """Draw `population` allowed genomes of new identities per generation; see `nsga2` for the rest."""
    check(genes, population=population, generations=generations)
    new = novelty.Novelty(allowed, identity)
    everyone: list[Evaluated] = []
    for generation in range(generations):
        genomes: list[Genome] = []
        while len(genomes) < population:
            place = (*stream, "random", generation, len(genomes))
            found = new.first(novelty.uniform(genes, seed, *place))
            if found is None:
                break
            genomes.append(found)
        if not genomes:
            break
        everyone += evaluated(generation, genomes, (yield genomes))
    if not everyone:
        raise novelty.nothing_allowed()
    return everyone
