"""Which pruned networks are tried: as large as the share allows, from the baselines on, by NSGA-II.

None is tried that could be larger: before fine-tuning the score does not show what capacity is worth
after it, so a search would trade it away. (darkcovidnet, picks at 30 to 46 % of the MACs where 50 %
were allowed: .038 of accuracy on val behind the uniform cut.)
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cxr import plugins, seeding
from cxr.backbones.surgery import Group
from cxr.evolution import nsga2, sorting
from cxr.evolution.genes import Asked, Evaluated, Genome, Search, objectives_NM
from cxr.evolution.together import run_together
from cxr.pruning import cutting, draws, masks, methods
from cxr.pruning import encoding as counts
from cxr.pruning.encoding import Encoding
from cxr.pruning.evidence import Evidence
from cxr.training.network import Network

RANKED = ("l1_norm", "bn_scale", "taylor", "reconstruction", "random")
"""The criteria that the baselines need."""
SEEDS = ("uniform", "global", "bn_scale", "taylor", "reconstruction", "sensitivity")
"""The baselines that a search starts with; `random` has uniform's counts."""
_DRAWS = 20  # random networks drawn for one that is new

Key = tuple[int, float]
"""A search: the number of its fold, and the share of the MACs that may stay."""


@dataclass(frozen=True, kw_only=True)
class Space:
    """One fold's parent, ready to be cut."""

    groups: tuple[Group, ...]
    """all groups of channels, those without a gene too"""
    encoding: Encoding
    """of the search: channels ranked by the criterion it was made with"""
    ranked: Mapping[str, Encoding]
    """counts encodings by criterion, for the baselines; a criterion that ranks nothing is absent"""
    macs: int
    """the parent's"""


def space(
    network: Network, *, criterion: str, encoding: str, evidence: Evidence, size_px: int,
    multiple: int = counts.MULTIPLE,
) -> Space:  # fmt: skip
    """Rank a trained network's channels by `criterion` and by what the baselines need.

    The evidence must have been gathered for `criterion` and for those in RANKED; where genes count
    channels, `multiple` of them go at a time. Raises ValueError for an encoding that is not there and if
    there is nothing to prune.
    """
    counted = functools.partial(counts.encode, multiple=multiple)
    encodings: dict[str, Callable[..., Encoding]] = {"counts": counted, "mask": masks.encode}
    if encoding not in encodings:
        raise ValueError(f"unknown encoding {encoding!r}: known are {', '.join(encodings)}")
    groups = tuple(cutting.groups(network, size_px=size_px))
    scores = {
        name: {group.name: _criterion(name).scores(network, group, evidence) for group in groups}
        for name in dict.fromkeys((criterion, *RANKED))
    }
    own = encodings[encoding](network, groups, scores[criterion], size_px=size_px)
    ranked = {
        name: counted(network, groups, scores[name], size_px=size_px)
        for name in RANKED
        if name == "l1_norm" or any(one is not None for one in scores[name].values())
    }
    return Space(groups=groups, encoding=own, ranked=ranked, macs=own.macs(own.whole))


def _criterion(name: str) -> Any:
    return plugins.load("pruning/criteria", name)


def limit(space: Space, share: float) -> int:
    """Return the most MACs that a network may have which keeps `share` of its parent's.

    Raises ValueError if the search, or its baselines in steps of `multiple`, can't get so far down.
    """
    allowed = math.floor(share * space.macs)
    least = max(one.macs(one.smallest) for one in (space.encoding, space.ranked["l1_norm"]))
    if least > allowed:
        raise ValueError(
            f"the share {share:g} can't be reached: with the fewest channels in every group "
            f"{least / space.macs:.3f} of the MACs stay; ask for shares of at least "
            f"{math.ceil(least / space.macs * 100) / 100:g}"
        )
    return allowed


def seeds(space: Space, cuts: Mapping[str, tuple[Encoding, Genome]]) -> dict[str, Genome]:
    """Return the baselines' cuts, by method, as genomes of the search: what its first generation starts with.

    Where genes count channels, these are the search's own best ones, as many as the baseline keeps.
    """
    return {
        method: space.encoding.like(own.kept(genome))
        for method, (own, genome) in cuts.items()
        if method in SEEDS
    }


def explore(
    spaces: Sequence[Space],
    shares: Sequence[float],
    evaluate: Callable[[list[tuple[Key, Asked]]], list[tuple[float, ...]]],
    *,
    genomes: Mapping[Key, Sequence[Genome]],
    population: int,
    generations: int,
    survivors: int | None,
    seed: int,
) -> dict[Key, list[Evaluated]]:
    """Search every fold at every share; return what was evaluated, by (fold, share).

    `evaluate` returns the objectives of what it is asked for: rung 0 is a network as it was cut, rung
    1, where there are `survivors`, a briefly trained one. A first generation has its `genomes`, as far
    as they are within the share, then random ones; children are cut down or filled to the share. So
    every network that is tried costs about what its rivals cost, and could be picked.
    """
    rungs = [population] if survivors is None else [population, survivors]
    return run_together(
        {
            (fold, share): _search(
                space.encoding, genomes[fold, share], ("prune", fold, methods.percent(share)),
                macs=limit(space, share), rungs=rungs, generations=generations, seed=seed,
            )
            for fold, space in enumerate(spaces) for share in shares
        },
        evaluate,
    )  # fmt: skip


def _search(
    encoding: Encoding, genomes: Sequence[Genome], stream: tuple[str | int, ...],
    *, macs: int, rungs: Sequence[int], generations: int, seed: int,
) -> Search:  # fmt: skip
    """Return the search of one fold at one share."""

    def allowed(genome: Genome) -> bool:
        return encoding.living(genome) and encoding.macs(genome) <= macs

    return nsga2.nsga2(
        encoding.genes, rungs=rungs, generations=generations, seed=seed, stream=stream,
        allowed=allowed,
        initial=[*genomes, *_random(encoding, macs, rungs[0], seed, *stream)],
        repair=lambda genome, rng: draws.fit(encoding, genome, macs=macs, rng=rng),
    )  # fmt: skip


def _random(
    encoding: Encoding, macs: int, number: int, seed: int, *names: str | int
) -> list[Genome]:
    """Return so many random networks within `macs`, fewer where there are no more."""
    found: dict[Genome, None] = {}
    for draw in range(_DRAWS * number):
        if len(found) == number:
            break
        rng = seeding.stream(seed, *names, "within", draw)
        found.setdefault(draws.within(encoding, macs=macs, rng=rng))
    return list(found)


def best(
    evaluated: Sequence[Evaluated], space: Space, *, macs: int, window: float, count: int = 1
) -> list[Genome]:
    """Return the `count` best of those that were judged at the greatest expense, best first.

    Networks of at least `window` of the allowed `macs` come first: by their first objective, then
    fewer MACs, then in the order of genomes. The others follow, the largest first.
    """

    def order(one: Evaluated) -> tuple[bool, float, float, Genome]:
        size, score = space.encoding.macs(one.genome), one.objectives[0]
        near = size >= window * macs
        return (not near, *((score, size) if near else (-size, score)), one.genome)

    return [one.genome for one in sorted(_at_top(evaluated), key=order)][:count]


def front(evaluated: Sequence[Evaluated]) -> set[Genome]:
    """Return the genomes judged at the greatest expense that no other of them beats in all objectives."""
    top = _at_top(evaluated)
    return {top[index].genome for index in sorting.front(objectives_NM(top))}


def _at_top(evaluated: Sequence[Evaluated]) -> list[Evaluated]:
    top = max(one.rung for one in evaluated)
    return [one for one in evaluated if one.rung == top]
