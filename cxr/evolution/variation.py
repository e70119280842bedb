"""How a child comes from two parents: uniform crossover of genes or of groups of them, then mutation.

Sources: uniform crossover: Syswerda (1989), "Uniform crossover in genetic algorithms", ICGA 3:2-9.
The probabilities (crossover 0.9, mutation 1/n for n genes): Deb et al. (2002), section IV.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cxr.evolution.genes import Gene, Genome

CROSSOVER = 0.9
"""The share of children that take genes of both parents; the others start as the first parent."""
WHOLE_GROUPS = 0.5
"""The share of children that inherit groups of genes whole, where there are groups."""


def crossover(
    one: Genome, other: Genome, genes: Sequence[Gene], *, rng: np.random.Generator
) -> Genome:
    """Take each gene from one parent or the other with equal chance; sometimes all from `one`.

    Where genes have groups, half of the children take each group whole from one of the two.
    """
    mixed = rng.random() < CROSSOVER
    from_other = rng.integers(2, size=len(one))
    if any(gene.group for gene in genes) and rng.random() < WHOLE_GROUPS:
        first = {gene.group: place for place, gene in reversed(list(enumerate(genes)))}
        places = [first[gene.group] if gene.group else i for i, gene in enumerate(genes)]
        from_other = from_other[places]
    return tuple(
        b if mixed and take else a for a, b, take in zip(one, other, from_other, strict=True)
    )


def mutate(genome: Genome, genes: Sequence[Gene], *, rng: np.random.Generator) -> Genome:
    """Change each gene that has a choice with probability 1/n, n being how many have one."""
    free = sum(gene.size > 1 for gene in genes)
    return tuple(
        _other_value(value, gene, rng=rng) if gene.size > 1 and rng.random() * free < 1 else value
        for value, gene in zip(genome, genes, strict=True)
    )


def _other_value(value: int, gene: Gene, *, rng: np.random.Generator) -> int:
    """Draw another value: any for an unordered gene, rather a near one for an ordered gene.

    Ordered: first how far at most (up to a quarter of the values), then where within that reach.
    Integers only, so that no rounding enters.
    """
    reach = gene.size
    if gene.ordered:
        reach = int(rng.integers(1, max(1, gene.size // 4) + 1))
    low, high = max(0, value - reach), min(gene.size - 1, value + reach)
    drawn = int(rng.integers(low, high))  # one less than there are: the old value is left out
    return drawn + (drawn >= value)
