"""cxr_cells: small networks of 2 to 5 stages, each of like blocks (the family `cells`), for chest X-rays.

The width of a stage is a gene of steps: how many places of `widths` it is wider than the stage
before, 0, 1 or 2; the first stage takes one of the narrower half. So widths never fall towards the
head, as good networks' widths do not (Radosavovic et al. 2020, "Designing network design spaces",
section 3.2), while maps shrink. Wide filters on large maps, which make most uniform draws too
expensive, are not drawn at all: under a cap of 40 M MACs at 64 px more than two thirds of all
draws are allowed, and they reach over more than one order of magnitude of MACs. And one mutation
of an early width makes a whole network wider or narrower: the step along a front of cost.

What does not matter leaves no trace in the architecture: stages beyond the last, or beyond those
that the image has pixels for at the network's resolution; the expansion of blocks that have none;
steps beyond the widest.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cxr import architectures
from cxr.evolution.genes import Gene, Genome
from cxr.search.spaces import _choices

PRETRAINED = False
STEPS = 2
"""By how many places of `widths` a stage may be wider than the one before."""

Block = Literal["plain", "residual", "inverted", "dense"]


@dataclass(frozen=True, kw_only=True)
class Params:
    """The choices, numbers in order. A list of one is no choice and costs the search nothing."""

    stages: tuple[int, int]
    """fewest and most stages; each halves the side, as far as there are pixels"""
    stems: list[int]
    """channels of the first convolution, multiples of 8"""
    stem_strides: list[Literal[1, 2]]
    """whether the first convolution halves the side: images of few pixels may lack the room"""
    blocks: list[Block]
    """kinds of block, one kind a stage"""
    widths: list[int]
    """channels of a stage, multiples of 8; the first stage takes one of the narrower half"""
    depths: list[int]
    """blocks of a stage"""
    kernels: list[Literal[3, 5]]
    """sides of the filters of a stage"""
    expansions: list[int]
    """how many times wider inverted blocks are inside"""
    squeeze_excitation: list[bool]
    """whether the blocks of a stage weigh their channels"""
    norms: list[Literal["batch", "group"]]
    """normalisation behind convolutions"""
    activations: list[Literal["relu", "silu", "hardswish"]]
    """of the whole network"""
    downs: list[Literal["stride", "max_pool"]]
    """how the first block of a stage halves the side"""
    resolutions: list[int]
    """percent of the side to which the network shrinks its images; 100: as they are"""
    pools: list[Literal["gap", "flatten"]]
    """what becomes of the last maps: their means, or all their pixels (bound to the images' side)"""
    hidden: list[list[int]]
    """widths of dense layers behind the pooling, 0 to 2 of them"""

    def __post_init__(self) -> None:
        _choices.check_numbers(multiple_of=8, stems=self.stems, widths=self.widths)
        _choices.check_numbers(
            depths=self.depths, kernels=self.kernels, expansions=self.expansions, resolutions=self.resolutions,
            stem_strides=self.stem_strides,
        )  # fmt: skip
        _choices.check(
            blocks=self.blocks, squeeze_excitation=self.squeeze_excitation, norms=self.norms,
            activations=self.activations, downs=self.downs, pools=self.pools, hidden=self.hidden,
        )  # fmt: skip
        fewest, most = self.stages
        if not 1 <= fewest <= most:
            raise ValueError(
                f"stages must be [fewest, most] with 1 <= fewest <= most, not {[fewest, most]}"
            )
        for layers in self.hidden:
            if len(layers) > 2 or any(width < 1 for width in layers):
                raise ValueError(
                    f"hidden must hold lists of 0 to 2 widths of dense layers, not {layers}"
                )


def _of_the_network(settings: Params) -> dict[str, Sequence[Any]]:
    """Return what is chosen once, in the genes' order."""
    fewest, most = settings.stages
    return {
        "stages": range(fewest, most + 1),
        "resolution": settings.resolutions,
        "stem": settings.stems,
        "stem_stride": settings.stem_strides,
        "activation": settings.activations,
        "norm": settings.norms,
        "down": settings.downs,
        "pool": settings.pools,
        "hidden": settings.hidden,
    }


def _of_a_stage(settings: Params, place: int) -> dict[str, Sequence[Any]]:
    """Return what is chosen for one stage, in the genes' order; its width as steps."""
    places = len(settings.widths)
    steps = range(min(STEPS + 1, places)) if place else range((places + 1) // 2)
    return {
        "block": settings.blocks,
        "width": steps,
        "depth": settings.depths,
        "kernel": settings.kernels,
        "expansion": settings.expansions,
        "se": settings.squeeze_excitation,
    }


_UNORDERED = ("activation", "norm", "down", "pool", "hidden", "block", "se")


def genes(settings: Params) -> list[Gene]:
    """Return the genes of the whole network, then those of each stage there may be, as a group."""
    found = [
        _choices.gene(name, choices, ordered=name not in _UNORDERED)
        for name, choices in _of_the_network(settings).items()
    ]
    for place in range(settings.stages[1]):
        for name, choices in _of_a_stage(settings, place).items():
            ordered, group = name not in _UNORDERED, f"stage {place}"
            found.append(
                _choices.gene(f"{name} {place}", choices, ordered=ordered, group=group)
            )  # fmt: skip
    return found


def architecture(genome: Genome, settings: Params, *, size_px: int) -> dict[str, Any]:
    """Return the network of the family `cells`, without what does not matter."""
    values = iter(genome)
    whole = {name: choices[next(values)] for name, choices in _of_the_network(settings).items()}
    ladder, rung, stages = sorted(settings.widths), 0, []
    for place in range(_room(settings, whole, size_px)):
        stage = {n: choices[next(values)] for n, choices in _of_a_stage(settings, place).items()}
        rung = min(rung + stage["width"], len(ladder) - 1)
        stage["width"] = ladder[rung]
        if stage["block"] != "inverted":
            del stage["expansion"]
        stages.append(stage)
    found = {"family": "cells", **whole, "stages": stages, "hidden": list(whole["hidden"])}
    return {**found, "side_px": size_px} if whole["pool"] == "flatten" else found


def _room(settings: Params, whole: Mapping[str, Any], size_px: int) -> int:
    """Return for how many of its stages the image has pixels, but never less than the fewest."""
    stages: int = whole["stages"]
    while (
        stages > settings.stages[0]
        and _needed_px(stages, whole["resolution"], whole["stem_stride"]) > size_px
    ):
        stages -= 1
    return stages


@functools.cache
def _needed_px(stages: int, resolution: int, stem_stride: int) -> int:
    """Return the side that an image needs: of a network, nothing else decides it."""
    stage = {"block": "plain", "width": 8, "depth": 1, "kernel": 3, "se": False}
    return architectures.smallest_px(
        {
            "family": "cells", "resolution": resolution, "stem": 8, "stem_stride": stem_stride, "activation": "relu",
            "norm": "batch", "down": "stride", "stages": [stage] * stages, "pool": "gap", "hidden": [],
        }
    )  # fmt: skip


def smallest(settings: Params, *, size_px: int) -> list[Genome]:
    """Return networks of which, for any network of the space, one costs no more in any respect.

    A network shrinks with each of its numbers, but for these: with more stages there is less to
    flatten, a narrow dense layer can save a wide head, low resolutions need large images, and a stem
    that halves costs least where there is room for it. Which
    kinds of block are cheapest depends on the numbers and on the place.
    """
    fewest, most = settings.stages
    found = []
    for pool in settings.pools:
        for stages in range(fewest, (most if pool == "flatten" else fewest) + 1):
            for resolution, stride, down in itertools.product(
                settings.resolutions, settings.stem_strides, settings.downs
            ):
                whole = {
                    "stages": stages, "pool": pool, "resolution": resolution,
                    "stem_stride": stride, "down": down,
                }  # fmt: skip
                kinds = [_cheapest(settings, whole, place, size_px) for place in range(stages)]
                for hidden, blocks in itertools.product(settings.hidden, itertools.product(*kinds)):
                    found.append(_least(settings, {**whole, "hidden": hidden}, blocks))
    return found


def _least(settings: Params, whole: Mapping[str, Any], blocks: Sequence[Block]) -> Genome:
    """Return the genome of the smallest numbers but for those given."""
    values = []
    for name, choices in _of_the_network(settings).items():
        smallest = min(choices) if name == "stem" else choices[0]
        values.append(list(choices).index(whole.get(name, smallest)))
    for place in range(settings.stages[1]):
        for name, choices in _of_a_stage(settings, place).items():
            smallest = choices[0] if name == "block" else min(choices)
            if name == "block" and place < len(blocks):
                smallest = blocks[place]
            values.append(list(choices).index(smallest))
    return tuple(values)


def _cheapest(
    settings: Params, whole: Mapping[str, Any], place: int, size_px: int
) -> list[Block]:  # fmt: skip
    """Return the kinds of block that none undercuts at this place: a stage's cost adds to the others'."""
    costs = {}
    for block in settings.blocks:
        blocks = [settings.blocks[0]] * place + [block]
        network = architecture(_least(settings, whole, blocks), settings, size_px=size_px)
        network.pop("side_px", None)  # pooled by means it can be counted at any side
        found = architectures.cost({**network, "pool": "gap"}, size_px=size_px)
        costs[block] = (found.parameters, found.macs, found.activation_bytes)
    return [block for block in costs if not any(_undercuts(costs, x, block) for x in costs)]


def _undercuts(costs: Mapping[Block, tuple[int, ...]], one: Block, other: Block) -> bool:
    """Tell whether `one` costs no more than `other` in any respect; of equals the first does."""
    if costs[one] == costs[other]:
        return list(costs).index(one) < list(costs).index(other)
    return all(map(int.__le__, costs[one], costs[other]))


def fixed_size(settings: Params) -> bool:
    """Tell whether flattened maps are offered: they fit only the side that a network was made for."""
    return "flatten" in settings.pools
