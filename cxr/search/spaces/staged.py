"""staged: stems, and stages of plain, residual or inverted blocks (the family of cxr.backbones.staged).

A space offers genes, makes a genome an architecture, and names its smallest networks, so that caps
that none can meet are told before anything runs. Which genes matter depends on others: those of
stages beyond the last and the expansion of blocks that have none are dropped from the architecture,
so genomes that differ in nothing else are one network. Nothing here needs torch.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Literal

from cxr.evolution.genes import Gene, Genome

Block = Literal["plain", "residual", "inverted"]


@dataclass(frozen=True, kw_only=True)
class Params:
    """The choices, numbers ascending."""

    stems: list[int]
    """channels of the first convolution"""
    stages: tuple[int, int]
    """fewest and most stages; the stem and each stage halve the side"""
    blocks: list[Block]
    """kinds of block, one kind a stage"""
    widths: list[int]
    """channels of a stage"""
    depths: list[int]
    """blocks of a stage"""
    kernels: list[Literal[3, 5]]
    """sides of the filters of a stage"""
    expansions: list[int]
    """how many times wider inverted blocks are inside"""

    def __post_init__(self) -> None:
        for name in ("stems", "blocks", "widths", "depths", "kernels", "expansions"):
            choices = getattr(self, name)
            if not choices:
                raise ValueError(f"{name} is empty: give at least one choice")
            if len(set(choices)) < len(choices):
                raise ValueError(f"{name} holds a choice twice: {choices}")
            if name != "blocks" and (choices != sorted(choices) or choices[0] < 1):
                raise ValueError(f"{name} must ascend from at least 1, not {choices}")
        fewest, most = self.stages
        if not 1 <= fewest <= most:
            raise ValueError(
                f"stages must be [fewest, most] with 1 <= fewest <= most, not {[fewest, most]}"
            )


def genes(settings: Params) -> list[Gene]:
    """Return the genes: stem, number of stages, then five for each stage there may be."""
    fewest, most = settings.stages
    found = [_gene("stem", settings.stems), _gene("stages", range(fewest, most + 1))]
    for place in range(most):
        for name, choices in _choices(settings).items():
            found.append(_gene(f"{name} {place}", choices, ordered=name != "block"))
    return found


def _gene(name: str, choices: list[Any] | range, *, ordered: bool = True) -> Gene:
    return Gene(name=name, size=len(choices), ordered=ordered)


def _choices(settings: Params) -> dict[str, list[Any]]:
    """Return what may be chosen for one stage, in the genes' order."""
    return {
        "block": settings.blocks,
        "width": settings.widths,
        "depth": settings.depths,
        "kernel": settings.kernels,
        "expansion": settings.expansions,
    }


def architecture(genome: Genome, settings: Params) -> dict[str, Any]:
    """Return what `cxr.backbones.staged` builds, without what does not matter."""
    stem, more, *rest = genome
    choices = _choices(settings)
    stages = []
    for place in range(settings.stages[0] + more):
        values = rest[place * len(choices) : (place + 1) * len(choices)]
        stage = {name: choices[name][i] for name, i in zip(choices, values, strict=True)}
        if stage["block"] != "inverted":
            del stage["expansion"]
        stages.append(stage)
    return {"stem": settings.stems[stem], "stages": stages}


def smallest(settings: Params) -> list[dict[str, Any]]:
    """Return networks of which, for any network of the space, one has no more MACs nor parameters.

    A network shrinks with each number; which kinds of block are cheapest depends on the numbers, so
    all are returned.
    """
    fewest, most = settings.stages
    found = []
    for kinds in itertools.product(range(len(settings.blocks)), repeat=fewest):
        genes_of_stages = [[kind, 0, 0, 0, 0] for kind in (*kinds, *[0] * (most - fewest))]
        found.append(architecture((0, 0, *itertools.chain(*genes_of_stages)), settings))
    return found


def smallest_px(settings: Params) -> int:
    """Return the side that an image needs for every network of the space: it ends as one pixel."""
    return int(2 ** (1 + settings.stages[1]))
