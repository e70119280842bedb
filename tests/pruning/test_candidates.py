"""Candidates: within the wanted MACs, from both baselines on, and the pick's order."""

import copy

import pytest

from cxr import numerics
from cxr.evolution.genes import Evaluated
from cxr.pruning import candidates, cutting
from tests.pruning.parents import SIZE, network, small

numerics.exact_torch()


def plan(share=0.5, criterion="l1_norm", **changes):
    parent = network(small(**changes))
    return candidates.plan(parent, criterion=criterion, share=share, size_px=SIZE)


@pytest.fixture(scope="module")
def half():
    return plan()


def judged(number, genome):
    """Stand in for the fitness: the more channels of the even genes, the better."""
    return {"auroc": 0.5 + sum(genome[::2]) / 100 - number / 1000, "macs": 0}


def explore(plans, seen=None, **options):
    def evaluate(waiting):
        for number, genome in waiting:
            (seen if seen is not None else []).append((number, genome))
        return [
            {**judged(number, genome), "macs": plans[number].encoding.macs(genome)}
            for number, genome in waiting
        ]

    settings = {"population": 8, "generations": 4, "seed": 1, **options}
    return candidates.explore(plans, evaluate, **settings)


def test_every_candidate_is_new_and_keeps_to_the_macs(half):
    seen = []
    first, second = explore([half, plan(0.3)], seen)
    assert len(first) == len(second) == 32 and len(set(seen)) == 64
    for number, (found, own) in enumerate(((first, half), (second, plan(0.3)))):
        assert {x.genome for x in found} == {genome for n, genome in seen if n == number}
        assert all(own.encoding.macs(x.genome) <= own.macs for x in found)
        assert all(x.objectives[1] == own.encoding.macs(x.genome) for x in found)


def test_the_first_generation_starts_from_both_baselines(half):
    first = half.initial(8)
    assert len(first) == 4
    assert first[0] == half.cuts["uniform"][0] and first[1] == half.cuts["global"][0]
    assert half.initial(2) == first[:2]
    found = explore([half])[0]
    assert [x.genome for x in found[:4]] == first
    origins = [half.origin(x) for x in found]
    assert origins[:2] == ["uniform", "global"]
    assert set(origins[4:8]) <= {"random", "uniform", "global"} and set(origins[8:]) == {"child"}


def test_baselines_stand_at_the_wanted_macs_and_below(half):
    for genomes in half.cuts.values():
        macs = [half.encoding.macs(genome) for genome in genomes]
        assert macs == sorted(macs, reverse=True) and macs[0] <= half.macs
        assert macs[-1] <= half.macs / 2
    assert half.macs == half.encoding.macs(half.encoding.whole) // 2


def test_the_wanted_macs_may_be_the_smallest_ones_only():
    least = plan().encoding
    share = least.macs(least.smallest) / least.macs(least.whole)
    tight = plan(share + 1e-9)
    assert tight.initial(8) == [tight.encoding.smallest]


def test_evolution_beats_the_baselines_where_there_is_something_to_find(half):
    found = explore([half], generations=10)[0]
    best = candidates.best(found, macs=half.macs)
    assert judged(0, best)["auroc"] > max(
        judged(0, genome)["auroc"] for genomes in half.cuts.values() for genome in genomes
    )
    assert candidates.AT * half.macs <= half.encoding.macs(best) <= half.macs


def test_a_shorter_search_is_the_beginning_of_a_longer_one(half):
    assert explore([half], generations=4)[0][:16] == explore([half], generations=2)[0]


def test_the_pick_has_the_highest_auroc_near_the_wanted_macs_then_the_fewest_macs_then_the_first():
    found = [
        Evaluated(0, 0, (3, 0), (0.25, 10.0)),
        Evaluated(0, 0, (2, 1), (0.125, 30.0)),
        Evaluated(1, 0, (1, 5), (0.125, 20.0)),
        Evaluated(1, 0, (1, 4), (0.125, 20.0)),
    ]
    assert candidates.best(found, macs=22) == (1, 4)
    assert candidates.best(found, macs=30) == (2, 1)  # 20 is no longer at the wanted 30
    assert candidates.best(found, macs=11) == (1, 4)  # all are
    assert candidates.best(found, macs=90) == (2, 1)  # none is: the largest
    assert candidates.front(found) == {(3, 0), (1, 4), (1, 5)}


def test_macs_out_of_reach_are_told_with_the_least_share():
    encoded = plan().encoding
    least = encoded.macs(encoded.smallest) / encoded.macs(encoded.whole)
    message = rf"macs 0\.01 can't be reached: .* {least:.3f} of the MACs stay; ask for at least 0\."
    with pytest.raises(ValueError, match=message) as told:
        plan(0.01)
    advised = float(str(told.value).rpartition(" ")[-1])
    assert plan(advised).initial(2)


def test_the_criterion_chooses_the_channels_and_an_unknown_one_is_told():
    parent = network(small())
    by_norm, by_scale = (plan(criterion=name) for name in ("l1_norm", "bn_scale"))
    genome = by_norm.encoding.smallest
    assert by_norm.encoding.kept(genome) != by_scale.encoding.kept(genome)
    assert by_norm.groups == by_scale.groups == tuple(cutting.groups(parent, size_px=SIZE))
    with pytest.raises(ValueError, match=r"unknown pruning/criteria 'taylor': known are bn_scale"):
        plan(criterion="taylor")


def test_planning_leaves_the_parent_as_it_was():
    parent = network(small())
    before = copy.deepcopy(parent.state_dict())
    candidates.plan(parent, criterion="bn_scale", share=0.5, size_px=SIZE)
    assert all(map(lambda a, b: bool((a == b).all()), parent.state_dict().values(), before.values()))  # fmt: skip
