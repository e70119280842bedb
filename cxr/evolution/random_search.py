"""Random search: uniform draws of allowed genomes, as many as NSGA-II evaluates, for comparison.

Source: Bergstra & Bengio (2012), "Random search for hyper-parameter optimization", JMLR 13:281-305.
In searches for architectures it is the baseline that is hard to beat: Li & Talwalkar (2019),
"Random search and reproducibility for neural architecture search", UAI.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from cxr.evolution import halving, novelty
from cxr.evolution.genes import Evaluated, Gene, Genome, Search, check
from cxr.evolution.survival import Reference


def random_search(
    genes: Sequence[Gene],
    *,
    rungs: Sequence[int],
    generations: int,
    seed: int,
    stream: tuple[str | int, ...],
    allowed: Callable[[Genome], bool],
    identity: Callable[[Genome], Hashable] = novelty.itself,
    reference: Reference | None = None,
) -> Search:
    """Draw rungs[0] allowed genomes of new identities per generation; see `nsga2` for the rest.

    Which genomes are drawn does not depend on what was found; who climbs to the next rung does, by
    the same rule as in `nsga2`.
    """
    check(genes, rungs=rungs, generations=generations)
    new = novelty.Novelty(allowed, identity)
    everyone: list[Evaluated] = []
    for generation in range(generations):
        genomes: list[Genome] = []
        while len(genomes) < rungs[0]:
            place = (*stream, "random", generation, len(genomes))
            found = new.first(novelty.uniform(genes, seed, *place))
            if found is None:
                break
            genomes.append(found)
        if not genomes:
            break
        everyone += yield from halving.climb(generation, genomes, rungs, reference)
    if not everyone:
        raise novelty.nothing_allowed()
    return everyone
