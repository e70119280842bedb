"""Networks as large as the allowed MACs permit: grown step by step in some order, drawn or given.

A *step* lets one gene keep its next number of channels. What is grown takes each step of an order
that still fits and passes over the others, so the order says what the network looks like, and in the
end networks of one limit cost about the same, whatever chose them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from cxr.evolution.genes import Genome
from cxr.pruning.encoding import Encoding

NEAR = 0.97
"""Share of the allowed MACs that a network should have, so that it costs what its rivals cost."""
ENOUGH = 0.99
"""Share of the allowed MACs at which random networks stop to grow. If all took whatever still fits, they
would become alike in networks with a few dear groups and many cheap ones: the cheap ones whole."""
STEEPEST = 0.8
"""The most that depth makes a random network's groups more eager to grow at one end, less at the other."""


class Step(NamedTuple):
    """From one value of a gene to the next."""

    gene: int
    value: int
    """that the gene has afterwards"""
    place: float
    """how far into its group the step is, by the criterion's order: 0 the best channel, 1 the last"""


def steps(encoding: Encoding) -> list[Step]:
    """Return every step of every gene, group by group, the best channels' first."""
    found = []
    before = [0] * len(encoding.groups)  # channels of the group that earlier genes decide on
    for gene, (owner, choice) in enumerate(zip(encoding.owners, encoding.choices, strict=True)):
        for value in range(1, len(choice)):
            middle = before[owner] + (choice[value - 1] + choice[value]) / 2
            found.append(Step(gene, value, middle / encoding.groups[owner].channels))
        before[owner] += choice[-1]
    return found


def grow(
    encoding: Encoding,
    order: Callable[[Step], float],
    *,
    macs: int,
    start: Genome | None = None,
) -> Genome:
    """Take the steps by rising `order` while they fit into `macs`, from `start` or the smallest on.

    Of equal steps the earlier in the network comes first. A gene's own steps are taken in their turn,
    whatever `order` says. Where it ends below NEAR of the `macs`, as in small networks, whose steps are
    coarse, groups give steps back for steps of others: as few as bring it near, or none if that fails.
    Raises ValueError if the start itself does not fit.
    """
    genome = encoding.smallest if start is None else start
    _check(encoding, genome, macs)
    ordered = sorted(steps(encoding), key=order)
    return _nearer(encoding, _climbed(encoding, genome, ordered, macs=macs), ordered, macs=macs)


def _check(encoding: Encoding, genome: Genome, macs: int) -> None:
    if (least := encoding.macs(genome)) > macs:
        which = "smallest" if genome == encoding.smallest else "given one"
        raise ValueError(f"no network within {macs:,} MACs: the {which} has {least:,}")


def _climbed(
    encoding: Encoding, genome: Genome, ordered: Sequence[Step], *, macs: int, enough: float = 1.0
) -> Genome:
    """Take those of the `ordered` steps that the genome does not have yet, where they fit."""
    climbed, counts_G = list(genome), np.array(encoding.counts(genome), dtype=np.int64)
    reached = encoding.cost.macs(counts_G)
    for gene in [step.gene for step in ordered if step.value > genome[step.gene]]:
        if reached >= enough * macs:
            break
        owner, choice, value = encoding.owners[gene], encoding.choices[gene], climbed[gene] + 1
        counts_G[owner] += choice[value] - choice[value - 1]
        if (larger := encoding.cost.macs(counts_G)) <= macs:
            climbed[gene], reached = value, larger
        else:
            counts_G[owner] -= choice[value] - choice[value - 1]
    return tuple(climbed)


def _nearer(encoding: Encoding, genome: Genome, ordered: Sequence[Step], *, macs: int) -> Genome:
    """Trade steps until the network is NEAR the `macs`; leave it as it is if that fails."""
    traded: Genome | None = genome
    while traded is not None and encoding.macs(traded) < NEAR * macs:
        traded = _traded(encoding, traded, ordered, macs=macs)
    return genome if traded is None else traded


def _traded(
    encoding: Encoding, genome: Genome, ordered: Sequence[Step], *, macs: int
) -> Genome | None:
    """Return what others make of the MACs when one group gives steps back; None if nothing is larger.

    Of all groups and numbers of steps, the last ones first, what changes least among those that come
    NEAR the `macs`; where none does, the largest.
    """
    found = []
    for group in range(len(encoding.groups)):
        own = [step for step in ordered if encoding.owners[step.gene] == group]
        others = [step for step in ordered if encoding.owners[step.gene] != group]
        lower = list(genome)
        for step in reversed([step for step in own if step.value <= genome[step.gene]]):
            lower[step.gene] -= 1
            if encoding.living(tuple(lower)):
                found.append(_climbed(encoding, tuple(lower), [*others, *own], macs=macs))
    larger = [one for one in found if encoding.macs(one) > encoding.macs(genome)]
    near = [one for one in larger if encoding.macs(one) >= NEAR * macs]
    if near:
        return min(near, key=lambda one: sum(abs(a - b) for a, b in zip(one, genome, strict=True)))
    return max(larger, key=encoding.macs, default=None)


def fill(encoding: Encoding, genome: Genome, *, macs: int) -> Genome:
    """Add steps while they fit into `macs`, those first that let a group keep the smallest share.

    See `grow` for what is below NEAR of the `macs` and has no step that fits.
    """
    return grow(encoding, lambda step: step.place, macs=macs, start=genome)


def within(encoding: Encoding, *, macs: int, rng: np.random.Generator) -> Genome:
    """Return a random network of nearly as many MACs as are allowed.

    Each group draws how eager it is to grow, the deeper ones more or less so. How uneven they are and
    how much depth counts is drawn for the whole network, so that nearly uniform networks and wild ones
    are tried. Where a group has several genes, it is drawn likewise how closely it keeps to the
    criterion's order.
    """
    uneven, tapering, unruly = rng.random(3).tolist()
    depth_G = np.linspace(-1, 1, len(encoding.groups))
    eager_G = 1 - uneven * rng.random(len(encoding.groups))
    eager_G *= 1 + STEEPEST * (2 * tapering - 1) * depth_G
    drawn = rng.random(len(encoding.genes)).tolist()
    mixed = unruly if len(encoding.genes) > len(encoding.groups) else 0.0

    def order(step: Step) -> float:
        place = (1 - mixed) * step.place + mixed * drawn[step.gene]
        return float(place / eager_G[encoding.owners[step.gene]])

    ordered = sorted(steps(encoding), key=order)
    _check(encoding, encoding.smallest, macs)
    grown = _climbed(encoding, encoding.smallest, ordered, macs=macs, enough=ENOUGH)
    return _nearer(encoding, grown, ordered, macs=macs)


def fit(encoding: Encoding, genome: Genome, *, macs: int, rng: np.random.Generator) -> Genome:
    """Return `genome` with random steps taken back or added, so that it has nearly the `macs` allowed.

    Each step may come first, so that no group is favoured; a group keeps at least one channel. Raises
    ValueError if even the smallest network has more MACs.
    """
    every = steps(encoding)
    ordered = [every[place] for place in rng.permutation(len(every)).tolist()]
    shrunk = _shrunk(encoding, genome, ordered, macs=macs)
    _check(encoding, shrunk, macs)
    fitted = _climbed(encoding, shrunk, ordered, macs=macs, enough=ENOUGH)
    return _nearer(encoding, fitted, ordered, macs=macs)


def _shrunk(encoding: Encoding, genome: Genome, ordered: Sequence[Step], *, macs: int) -> Genome:
    """Take back the last of the `ordered` steps until the network fits; no group loses all channels."""
    shrunk, counts_G = list(genome), np.array(encoding.counts(genome), dtype=np.int64)
    for gene in [step.gene for step in reversed(ordered) if step.value <= genome[step.gene]]:
        if encoding.cost.macs(counts_G) <= macs:
            break
        owner, choice, value = encoding.owners[gene], encoding.choices[gene], shrunk[gene]
        fewer = counts_G[owner] - choice[value] + choice[value - 1]
        if fewer > 0:
            shrunk[gene], counts_G[owner] = value - 1, fewer
    return tuple(shrunk)
