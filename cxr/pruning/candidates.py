"""Which pruned networks are tried: within the wanted MACs, from the baselines on, by NSGA-II."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cxr import plugins
from cxr.evolution import nsga2, sorting
from cxr.evolution.genes import Asked, Evaluated, Genome, objectives_NM
from cxr.evolution.together import run_together
from cxr.pruning import baselines, cutting, encoding
from cxr.training.network import Network

AT = 0.9  # share of the wanted MACs from which on a network counts as one of them
_BELOW = (1.0, 0.9, 0.8, 0.65, 0.5)  # shares of the wanted MACs at which the baselines are cut too


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What pruning one fold's network means."""

    groups: tuple[encoding.Group, ...]
    """all groups of channels, those without a gene too"""
    encoding: encoding.Encoding
    """of the groups that have a choice"""
    macs: int
    """the most that a candidate may have"""
    cuts: Mapping[str, Sequence[Genome]]
    """the baselines' genomes: uniform and global, each from the wanted MACs downwards"""

    def initial(self, population: int) -> list[Genome]:
        """Return what the first generation starts with: both baselines, at most half of it."""
        turns = [genome for pair in zip(*self.cuts.values(), strict=False) for genome in pair]
        return list(dict.fromkeys(turns))[: max(2, population // 2)]

    def origin(self, found: Evaluated) -> str:
        """Say where a candidate comes from: uniform, global, random or child."""
        if found.generation > 0:
            return "child"
        return next((name for name, genomes in self.cuts.items() if found.genome in genomes), "random")  # fmt: skip


def plan(network: Network, *, criterion: str, share: float, size_px: int) -> Plan:
    """Rank a trained network's channels by `criterion` and plan for at most `share` of its MACs.

    Raises ValueError if there is nothing to prune, or if so few MACs can't be reached.
    """
    groups = cutting.groups(network, size_px=size_px)
    ranked = {group.name: _criterion(criterion).scores(network, group) for group in groups}
    encoded = encoding.encode(network, groups, ranked, size_px=size_px)
    whole = encoded.macs(encoded.whole)
    least = encoded.macs(encoded.smallest) / whole
    wanted = math.floor(share * whole)
    if encoded.macs(encoded.smallest) > wanted:
        raise ValueError(
            f"macs {share} can't be reached: with {encoding.STEP} channels in every group "
            f"{least:.3f} of the MACs stay; ask for at least {math.ceil(least * 1000) / 1000}"
        )
    l1 = {g.name: _criterion("l1_norm").scores(network, g) for g in encoded.groups}
    limits = [limit for part in _BELOW if (limit := math.floor(part * wanted)) >= least * whole]
    return Plan(
        groups=tuple(groups),
        encoding=encoded,
        macs=wanted,
        cuts={
            "uniform": [baselines.uniform(encoded, macs=limit) for limit in limits],
            "global": [baselines.global_threshold(encoded, l1, macs=limit) for limit in limits],
        },
    )


def _criterion(name: str) -> Any:
    return plugins.load("pruning/criteria", name)


def explore(
    plans: Sequence[Plan],
    evaluate: Callable[[list[tuple[int, Genome]]], list[dict[str, Any]]],
    *,
    population: int,
    generations: int,
    seed: int,
) -> list[list[Evaluated]]:
    """Search every plan's genomes for high AUROC and few MACs; return what was evaluated, by plan.

    `evaluate` gets (number of the plan, genome) and returns what `fitness.evaluate` does.
    """
    searches = {
        number: nsga2.nsga2(
            plan.encoding.genes, rungs=[population], generations=generations, seed=seed,
            stream=("prune", number), allowed=_within(plan), initial=plan.initial(population),
        )
        for number, plan in enumerate(plans)
    }  # fmt: skip

    def objectives(waiting: list[tuple[int, Asked]]) -> list[tuple[float, ...]]:
        found = evaluate([(number, asked.genome) for number, asked in waiting])
        return [(1.0 - one["auroc"], float(one["macs"])) for one in found]

    return list(run_together(searches, objectives).values())


def _within(plan: Plan) -> Callable[[Genome], bool]:
    return lambda genome: plan.encoding.macs(genome) <= plan.macs


def best(evaluated: Sequence[Evaluated], *, macs: int) -> Genome:
    """Return the pick at the wanted `macs`: highest AUROC, then fewest MACs, then the first in order.

    Smaller networks than AT of the wanted MACs don't compete: the score before fine-tuning does not
    show what capacity is worth after it, so it would trade it away. (darkcovidnet, picks at 30 to
    46 % of the MACs where 50 % were allowed: .038 of accuracy on val behind the uniform cut.) If
    none is that large, the largest compete.
    """
    least = min(AT * macs, max(found.objectives[1] for found in evaluated))
    near = [found for found in evaluated if found.objectives[1] >= least]
    return min((*found.objectives, found.genome) for found in near)[-1]  # type: ignore[return-value]


def front(evaluated: Sequence[Evaluated]) -> set[Genome]:
    """Return the genomes that no other one beats in both AUROC and MACs."""
    return {evaluated[index].genome for index in sorting.front(objectives_NM(evaluated))}
