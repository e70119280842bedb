"""mobile: networks around MobileNetV2 that take its published weights wherever the shapes are equal.

MobileNetV2 (Sandler et al. 2018, table 2) is a stem, seven stages of inverted residual blocks and a
1x1 convolution; timm has it in several widths. A space stands around one of these (`like`): each
stage but the first is made wider or narrower, longer or shorter, with other filters and expansion.
What a stage shares with `like` it shares in timm's tensor names too (see
`cxr.backbones.load_weights`): a convolution fits where its inputs, outputs and kernel are the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cxr.evolution.genes import Gene, Genome
from cxr.search.spaces import _choices

PRETRAINED = True
HEAD = 1280
"""Channels of the last convolution, at any width: as timm's networks have it."""
DEPTHS = (1, 2, 3, 4, 3, 3, 1)
"""Blocks of MobileNetV2's stages."""
LIKE: Mapping[str, tuple[int, tuple[int, ...]]] = {
    "mobilenetv2_035": (16, (8, 8, 16, 24, 32, 56, 112)),
    "mobilenetv2_050": (16, (8, 16, 16, 32, 48, 80, 160)),
    "mobilenetv2_100": (32, (16, 24, 32, 64, 96, 160, 320)),
}
"""By timm name: channels of the stem, and of the stages."""


@dataclass(frozen=True, kw_only=True)
class Params:
    """The choices for each stage but the first, numbers in order."""

    like: Literal["mobilenetv2_035", "mobilenetv2_050", "mobilenetv2_100"]
    """timm's network in the middle: its weights may be taken"""
    widths: list[int]
    """percent of the stage's channels in `like`, rounded to a multiple of 8; 100: as they stand"""
    depths: list[int]
    """blocks more (or, below 0, fewer) than in MobileNetV2; one is always left; 0: as many"""
    kernels: list[Literal[3, 5]]
    """sides of the filters; MobileNetV2's are 3"""
    expansions: list[int]
    """how many times wider blocks are inside; MobileNetV2's are 6"""

    def __post_init__(self) -> None:
        _choices.check_numbers(
            widths=self.widths, kernels=self.kernels, expansions=self.expansions
        )  # fmt: skip
        _choices.check_numbers(least=-max(DEPTHS), depths=self.depths)


def _choices_of_a_stage(settings: Params) -> dict[str, Sequence[int]]:
    return {
        "width": settings.widths,
        "depth": settings.depths,
        "kernel": settings.kernels,
        "expansion": settings.expansions,
    }


def genes(settings: Params) -> list[Gene]:
    """Return four genes for each stage but the first, which stays as it is."""
    return [
        _choices.gene(f"{name} {place}", choices, group=f"stage {place}")
        for place in range(1, len(DEPTHS))
        for name, choices in _choices_of_a_stage(settings).items()
    ]


def architecture(genome: Genome, settings: Params, *, size_px: int) -> dict[str, Any]:
    """Return the network of the family mobile; it works at any size."""
    stem, widths = LIKE[settings.like]
    choices = _choices_of_a_stage(settings)
    stages = [{"width": widths[0], "depth": DEPTHS[0], "expansion": 1, "kernel": 3}]
    for place in range(1, len(DEPTHS)):
        values = genome[(place - 1) * len(choices) : place * len(choices)]
        chosen = {name: choices[name][i] for name, i in zip(choices, values, strict=True)}
        stages.append(
            {
                "width": max(8, (widths[place] * chosen["width"] + 400) // 800 * 8),
                "depth": max(1, DEPTHS[place] + chosen["depth"]),
                "expansion": chosen["expansion"],
                "kernel": chosen["kernel"],
            }
        )
    return {"family": "mobile", "stem": stem, "stages": stages, "head": HEAD}


def smallest(settings: Params, *, size_px: int) -> list[Genome]:
    """Return the one network whose numbers are all the smallest on offer."""
    least = [choices.index(min(choices)) for choices in _choices_of_a_stage(settings).values()]
    return [tuple(itertools.chain(*[least] * (len(DEPTHS) - 1)))]


def fixed_size(settings: Params) -> bool:
    """Return False: maps are pooled to one value per channel at any size."""
    return False
