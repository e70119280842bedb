"""Cut most where the network feels it least: each group is cut alone first, and its loss is looked at.

Li et al. 2017, "Pruning Filters for Efficient ConvNets", section 3.2: layers differ in how much they
can lose. They choose each layer's share by eye; here all groups may raise the loss alike, and how much
that is follows from the MACs. That losses of groups add up when they are cut together is not claimed.
"""

from __future__ import annotations

from collections.abc import Mapping

from cxr.evolution.genes import Genome
from cxr.pruning import draws
from cxr.pruning.draws import Step
from cxr.pruning.encoding import Encoding

SHARES = (0.25, 0.5, 0.75)
"""Of a group's channels, to the nearest choice: where its loss is looked at."""


def asked(encoding: Encoding) -> list[Genome]:
    """Return the genomes whose losses `genome` needs, beside that of the whole: each group alone cut."""
    return [
        _alone(encoding, gene, value)
        for gene in range(len(encoding.choices))
        for value in _looked_at(encoding, gene)
    ]


def genome(encoding: Encoding, losses: Mapping[Genome, float], *, macs: int) -> Genome:
    """Return the network within `macs` whose groups, each cut alone, raise the loss least.

    Each group keeps the smallest number of channels that raises the loss by at most t, and t is the
    least that brings the MACs down; what is then left goes to what would be next. Between the counts
    that were looked at, the rise is interpolated; below the smallest its line goes on. `losses`: of
    the genomes `asked` for and of `encoding.whole`. Raises ValueError if even the smallest network
    has more MACs.
    """
    rises = [_rises(encoding, gene, losses) for gene in range(len(encoding.choices))]
    return draws.grow(encoding, lambda step: _order(step, rises), macs=macs)


def _order(step: Step, rises: list[list[float]]) -> float:
    """A step is taken for what staying before it would cost: the greatest rise first."""
    return -rises[step.gene][step.value - 1]


def _alone(encoding: Encoding, gene: int, value: int) -> Genome:
    whole = encoding.whole
    return (*whole[:gene], value, *whole[gene + 1 :])


def _looked_at(encoding: Encoding, gene: int) -> list[int]:
    """Return the gene's values nearest to the SHARES, the larger of two as near, without the whole."""
    choice = encoding.choices[gene]
    nearest = [
        min(range(len(choice)), key=lambda value: (abs(choice[value] - share * choice[-1]), -value))
        for share in SHARES
    ]
    return sorted({value for value in nearest if value < len(choice) - 1})


def _rises(encoding: Encoding, gene: int, losses: Mapping[Genome, float]) -> list[float]:
    """Return for each value of a gene how much it raises the loss, never more than a smaller value does.

    Where more channels are worse than fewer (chance, on few images), the fewer ones' loss counts: they
    would be taken.
    """
    choice, before = encoding.choices[gene], losses[encoding.whole]
    counts: list[int] = []
    rises: list[float] = []
    for value in _looked_at(encoding, gene):
        rise = losses[_alone(encoding, gene, value)] - before
        counts.append(choice[value])
        rises.append(min([rise, *rises]))
    counts.append(choice[-1])
    rises.append(min([0.0, *rises]))
    return [_line(counts, rises, count) for count in choice]


def _line(counts: list[int], rises: list[float], count: int) -> float:
    """Return the rise at `count`, on the line through its neighbours or the two smallest counts."""
    place = max(1, next(i for i, known in enumerate(counts) if known >= count))
    (low, high), (here, there) = counts[place - 1 : place + 1], rises[place - 1 : place + 1]
    return here + (there - here) * (count - low) / (high - low)
