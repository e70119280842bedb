"""A pruned network as a genome: one gene per group of channels says how many of them are kept.

Counts go in steps of 8, because kernels work on 8 channels at a time, with AVX-512 on 16: MobileNetV2
at -70 % MACs ran 1.27 times as fast with odd counts and 2.57 times with multiples of 8. Which channels
those are is the criterion's to say, so a genome stands for one network. Its MACs are counted without building it.
A group may also have several genes, each for a few of its channels: `masks` makes such encodings.

Legend: L layers (convolutions and linear ones), G groups, C channels of a group, B blocks of them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from torch import nn

from cxr.backbones.surgery import Group
from cxr.evolution.genes import Gene, Genome
from cxr.metrics import cost

MULTIPLE = 8
"""Kept channels are multiples of it, if nothing else is asked for; all channels are a choice in any case."""
Choice: TypeAlias = tuple[int, ...]
"""Of a gene: how many of its channels may be kept, ascending; the last is all."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """What the genes of one trained network mean; made by `encode`, or by `masks.encode`."""

    groups: tuple[Group, ...]
    """the groups that have genes, in network order"""
    owners: tuple[int, ...]
    """of each gene: the place of its group in `groups`, ascending"""
    members: tuple[tuple[int, ...], ...]
    """of each gene: the channels that it decides on, best first"""
    scores: tuple[tuple[float, ...], ...]
    """of each gene: what the criterion says of these channels, falling"""
    choices: tuple[Choice, ...]
    """of each gene"""
    cost: Cost
    """what the groups' channels cost"""

    @property
    def genes(self) -> list[Gene]:
        """The genes for a search; where a group has several, children may inherit them together."""
        alone = len(self.groups) == len(self.owners)
        names = [self.groups[owner].name for owner in self.owners]
        return [
            Gene(name=name, size=len(choice), ordered=True)
            if alone
            else Gene(name=f"{name}[{members[0]}]", size=len(choice), ordered=True, group=name)
            for name, members, choice in zip(names, self.members, self.choices, strict=True)
        ]

    @property
    def smallest(self) -> Genome:
        """The genome that keeps the fewest channels everywhere, the best of each group."""
        before = (None, *self.owners[:-1])
        return tuple(
            int(choice[0] == 0 and owner != last)
            for owner, last, choice in zip(self.owners, before, self.choices, strict=True)
        )

    @property
    def whole(self) -> Genome:
        """The genome that keeps every channel."""
        return tuple(len(choice) - 1 for choice in self.choices)

    def counts(self, genome: Genome) -> list[int]:
        """Return how many channels each group keeps."""
        found = [0] * len(self.groups)
        for owner, choice, value in zip(self.owners, self.choices, genome, strict=True):
            found[owner] += choice[value]
        return found

    def living(self, genome: Genome) -> bool:
        """Say whether every group keeps a channel: else nothing would flow through the network."""
        return all(self.counts(genome))

    def macs(self, genome: Genome) -> int:
        """Return the MACs that the network would have, exactly."""
        return self.cost.macs(np.array(self.counts(genome), dtype=np.int64))

    def kept(self, genome: Genome) -> dict[str, list[int]]:
        """Return the channels to keep, ascending, of every group that loses any.

        Raises ValueError for a group that would keep none.
        """
        kept: list[list[int]] = [[] for _ in self.groups]
        for owner, members, choice, value in zip(
            self.owners, self.members, self.choices, genome, strict=True
        ):
            kept[owner] += members[: choice[value]]
        empty = [group.name for group, own in zip(self.groups, kept, strict=True) if not own]
        if empty:
            raise ValueError(
                f"this genome keeps no channel of {', '.join(empty)}: nothing would flow through; "
                "take only genomes that `living` allows"
            )
        return {
            group.name: sorted(own)
            for group, own in zip(self.groups, kept, strict=True)
            if len(own) < group.channels
        }

    def like(self, kept: Mapping[str, Sequence[int]]) -> Genome:
        """Return the genome of a network that was cut by another encoding of the same parent.

        Where genes decide on single channels it has exactly the `kept` ones, elsewhere as many of
        them (to the choice below), the best first. A group that is not named stays whole.
        """
        left = [len(kept.get(group.name, range(group.channels))) for group in self.groups]
        genome = []
        for owner, members, choice in zip(self.owners, self.members, self.choices, strict=True):
            group = self.groups[owner]
            if len(members) == 1:
                genome.append(int(members[0] in kept.get(group.name, members)))
            else:
                fitting = [value for value, count in enumerate(choice) if count <= left[owner]]
                genome.append(fitting[-1] if fitting else 0)
                left[owner] -= choice[genome[-1]]
        return tuple(genome)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """MACs as a function of kept channels: per layer scale x inputs x outputs, both linear in them."""

    layers: tuple[str, ...]
    """dotted names"""
    scale_L: np.ndarray
    inputs_L: np.ndarray
    inputs_LG: np.ndarray
    outputs_L: np.ndarray
    outputs_LG: np.ndarray

    def macs(self, counts_G: np.ndarray) -> int:
        """Return the MACs where each group keeps so many channels."""
        inputs_L = self.inputs_L + self.inputs_LG @ counts_G
        outputs_L = self.outputs_L + self.outputs_LG @ counts_G
        return int((self.scale_L * inputs_L * outputs_L).sum())

    def of(self, network: nn.Module) -> int:
        """Return the MACs of a network that was cut out of the same parent, by its layers' shapes.

        That is what `cxr.metrics.cost` counts, without running the network: a cut changes how many
        channels a layer has and not at how many places it works.
        """
        return int((self.scale_L * _shapes_L2(network, self.layers).prod(axis=1)).sum())


def _shapes_L2(network: nn.Module, layers: Iterable[str]) -> np.ndarray:
    """Return of each convolution and linear layer: filters, then the channels that one filter reads."""
    return np.array([network.get_parameter(f"{name}.weight").shape[:2] for name in layers])


def encode(
    network: nn.Module,
    groups: Sequence[Group],
    scores: Mapping[str, np.ndarray | None],
    *,
    size_px: int,
    multiple: int = MULTIPLE,
) -> Encoding:
    """Return the encoding of a network's `groups`, ranked by each group's `scores` (by name).

    A group with a single choice, or without scores, has no gene and stays whole. Raises ValueError
    if no gene is left.
    """
    genes = functools.partial(_gene, multiple=multiple)
    few = f"{multiple} channels"
    return assemble(network, groups, scores, genes, more_than=few, size_px=size_px)


def assemble(
    network: nn.Module,
    groups: Sequence[Group],
    scores: Mapping[str, np.ndarray | None],
    genes: Callable[[Group], list[tuple[slice, Choice]]],
    *,
    more_than: str,
    size_px: int,
) -> Encoding:
    """Return the encoding in which each group has its `genes`: channels, best first, and their numbers.

    A group without genes, or without scores, stays whole. Raises ValueError if no gene is left;
    `more_than`: what a group has at most that has none.
    """
    chosen: list[Group] = []
    owners, members, falling, choices = [], [], [], []
    for group in groups:
        ranked, own = scores[group.name], genes(group)
        if ranked is None or not own:
            continue
        order, worth = best_first(group, ranked)
        for place, choice in own:
            owners.append(len(chosen))
            members.append(order[place])
            falling.append(worth[place])
            choices.append(choice)
        chosen.append(group)
    if not chosen:
        raise ValueError(
            f"nothing to prune: of {len(groups)} groups of channels none has more than {more_than} "
            "that the criterion can rank; take a wider network or another criterion"
        )
    return Encoding(
        groups=tuple(chosen), owners=tuple(owners), members=tuple(members),
        scores=tuple(falling), choices=tuple(choices),
        cost=costs(network, chosen, size_px=size_px),
    )  # fmt: skip


def _gene(group: Group, *, multiple: int) -> list[tuple[slice, Choice]]:
    choice = _choices(group, multiple)
    return [(slice(None), choice)] if len(choice) > 1 else []


def _choices(group: Group, multiple: int) -> Choice:
    step = math.lcm(multiple, group.multiple)
    return (*range(step, group.channels, step), group.channels)


def best_first(group: Group, scores: np.ndarray) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return a group's channels by falling score, ties in their own order, and these scores.

    Channels that stay or go together (`Group.block`) are ranked by the mean of their scores.
    """
    blocks_B = scores.reshape(-1, group.block).mean(axis=1)
    order_B = np.argsort(-blocks_B, kind="stable")
    channels_BC = order_B[:, None] * group.block + np.arange(group.block)
    falling_C = np.repeat(blocks_B[order_B], group.block)
    return tuple(channels_BC.ravel().tolist()), tuple(falling_C.tolist())


def costs(network: nn.Module, groups: Sequence[Group], *, size_px: int) -> Cost:
    """Return what a network costs by the channels that each of `groups` keeps; all others are whole."""
    macs = cost.by_layer(network, size_px=size_px)
    place = {name: row for row, name in enumerate(macs)}
    inputs_LG = np.zeros((len(macs), len(groups)), np.int64)
    outputs_LG = np.zeros_like(inputs_LG)
    for column, group in enumerate(groups):
        for name in (*group.makers, *group.depthwise):
            outputs_LG[place[name], column] = 1
        for name, each in group.takers:
            inputs_LG[place[name], column] = each
    whole_G = np.array([group.channels for group in groups], dtype=np.int64)
    macs_L = np.array(list(macs.values()), dtype=np.int64)
    shapes_L2 = _shapes_L2(network, macs)
    return Cost(
        layers=tuple(macs),
        scale_L=macs_L // shapes_L2.prod(axis=1),
        inputs_L=shapes_L2[:, 1] - inputs_LG @ whole_G,
        inputs_LG=inputs_LG,
        outputs_L=shapes_L2[:, 0] - outputs_LG @ whole_G,
        outputs_LG=outputs_LG,
    )
