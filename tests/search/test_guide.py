"""The guide foretells from what was evaluated, and turns evolution to what random search finds late."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from cxr import seeding
from cxr.evolution import novelty
from cxr.evolution.genes import Evaluated, Genome
from cxr.evolution.hypervolume import covered
from cxr.evolution.together import run_together
from cxr.search import guide, rivals
from tests.search.settings import open_space, terms

SPACE = open_space(
    widths=[8, 16, 24, 32],
    stages=[2, 3],
    squeeze_excitation=[False, True],
    norms=["batch", "group"],
)
CAP = float(SPACE.caps.macs or 0)
TERMS: dict[str, Any] = {
    "rungs": [{"networks": 8, "samples": 100}, {"networks": 4, "samples": 300}],
    "generations": 6,
}


def _truth(genome: Genome) -> float:
    """Batch normalisation and squeeze-excitation in every stage are good, and so are large networks."""
    network = SPACE.architecture(genome)
    score = 0.6 + 0.1 * (network["norm"] == "batch") + 0.05 * SPACE.cost(genome).macs / CAP
    return float(score + 0.1 * sum(x["se"] for x in network["stages"]) / len(network["stages"]))


def _score(genome: Genome, rung: int, seed: int) -> float:
    noise = seeding.stream(seed, "noise", rung, *genome).normal()
    return _truth(genome) + 0.02 / (1 + rung) * float(noise)


def _held(*, seed: int, guided: bool) -> dict[str, list[Evaluated]]:
    settings = terms(**TERMS)
    own = _guide(draws=20)
    searches = rivals.searches(
        SPACE, settings, folds=1, seed=seed, choosers=[own] if guided else []
    )
    found = run_together(
        searches,
        lambda waiting: [
            (1.0 - _score(asked.genome, asked.rung, seed), float(SPACE.cost(asked.genome).macs))
            for _, asked in waiting
        ],
    )
    return {method: list(members) for (_, method), members in found.items()}


def _covered(members: list[Evaluated]) -> float:
    top = [one for one in members if one.rung == 1]
    scores = [_truth(one.genome) for one in top]
    return covered(scores, [one.objectives[1] for one in top], max_macs=CAP)


def _best(members: list[Evaluated]) -> float:
    best = min((one for one in members if one.rung == 1), key=lambda one: one.objectives)
    return _truth(best.genome)


def test_guided_evolution_covers_more_than_unguided_and_random() -> None:
    """As many evaluations for all; its best is better than random search's, and as good as without a guide.

    Fixed seeds, so always the same: how often of ten it wins.
    """
    ahead = []
    for seed in range(10):
        guided, plain = _held(seed=seed, guided=True), _held(seed=seed, guided=False)
        assert guided["random"] == plain["random"]
        assert len(guided["evolved"]) == len(plain["evolved"]) == len(plain["random"]) == 72
        ahead.append(
            [
                measure(guided["evolved"]) > measure(other)
                for other in (plain["evolved"], plain["random"])
                for measure in (_covered, _best)
            ]
        )
    won = [sum(column) for column in zip(*ahead, strict=True)]
    assert won == [9, 5, 9, 7]


def _told(scores: dict[Genome, float], rung: int = 1) -> list[Evaluated]:
    return [
        Evaluated(0, rung, genome, (1.0 - score, float(SPACE.cost(genome).macs)))
        for genome, score in scores.items()
    ]


def _drawn(count: int) -> list[Genome]:
    allowed = filter(SPACE.allowed, novelty.uniform(SPACE.genes, 1, "drawn"))
    return list(itertools.islice(allowed, count))


def _guide(*, draws: int = 2) -> guide.Guide:
    reference = rivals.reference(SPACE)
    return guide.Guide(SPACE, terms(**TERMS).rungs, reference, draws=draws, seed=1, fold=0)


def test_even_places_go_to_the_highest_forecast_and_odd_ones_to_what_the_front_lacks() -> None:
    """Large and small networks of a front are known; nothing but the cost tells the others apart."""
    known = sorted(_drawn(40), key=lambda genome: SPACE.cost(genome).macs)
    large, small, middle = known[-1], known[0], known[len(known) // 2]
    told = _told(dict.fromkeys(known[-9:-1], 0.7) | {small: 0.69})
    own = _guide()
    said = [own._forecast(own._effects(told), genome) for genome in (large, middle)]
    assert own.prefer([large, middle], 0, told) == said.index(max(said))
    assert own.prefer([large, middle], 1, told) == 1  # it adds from its MACs on
    assert own.prefer([middle, middle], 0, told) == own.prefer([middle, middle], 1, told) == 0


def test_scores_of_a_lower_rung_count_less() -> None:
    one, other = _drawn(2)
    high, low = (_told({one: 0.8}, 1) + _told({other: 0.6}, rung) for rung in (1, 0))
    means = [_guide()._effects(told).mean for told in (high, low)]
    assert means == pytest.approx([0.7, 0.75])


def test_how_forecasts_turned_out_is_told() -> None:
    own = _guide()
    members = _held(seed=1, guided=True)["evolved"]
    acted, found = own.proof(members)
    assert acted and found.count == 40 and found.low is not None
    assert -1.0 <= found.low <= found.value <= 1.0
    assert own.proof(members) == (True, found)
    assert _guide().proof(members[:12])[1].value is None  # generation 0 alone
