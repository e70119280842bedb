"""The contest: filled up alike, trained alike, and the best on search_val is handed over."""

import dataclasses

import pytest

from cxr import numerics
from cxr.evolution.genes import Evaluated
from cxr.pruning import baselines, candidates, contest, draws, sensitivity
from cxr.pruning.contest import Entry
from tests.pruning.outcomes import outcome, said, space
from tests.pruning.parents import begin, judge, make

numerics.exact_torch()


def entered(genomes, *, evolved):
    """Enter genomes that were tried in this order, each worse than the one before."""
    own = space()
    macs = candidates.limit(own, 0.5)
    losses = dict.fromkeys([own.encoding.whole, *sensitivity.asked(own.encoding)], 0.0)
    cuts = baselines.cuts(own, macs=macs, losses=losses)
    tried = [
        Evaluated(0, 0, genome, (place / 8, float(own.encoding.macs(genome))))
        for place, genome in enumerate(genomes)
    ]
    found = contest.enter(own, tried, cuts, macs=macs, window=0.01, evolved=evolved)
    return found, cuts, macs


def test_the_best_evolved_ones_and_every_baseline_compete():
    code = space().encoding
    genomes = [one.genome for one in outcome().evaluated[1:]]
    genomes[1] = tuple(max(0, value - 1) for value in genomes[1])  # smaller than it may be
    found, cuts, macs = entered(genomes, evolved=2)
    methods = [one.method for one in found]
    assert methods == ["evolved", "evolved", *cuts]
    assert methods[2:] == [
        "uniform",
        "global",
        "bn_scale",
        "taylor",
        "reconstruction",
        "random",
        "sensitivity",
    ]
    assert [one.number for one in found] == [1, 2, *[1] * 7]
    for one, genome in zip(found[:2], genomes[:2], strict=True):
        assert one.tried == genome and one.genome == draws.fill(code, genome, macs=macs)
        assert one.network(0).macs == code.macs(one.genome) <= macs
    assert code.macs(found[1].genome) > code.macs(genomes[1])
    assert found[2].network(3) == (3, cuts["uniform"][0].kept(cuts["uniform"][1]), code.macs(cuts["uniform"][1]))  # fmt: skip


def test_of_networks_that_are_filled_to_the_same_the_best_competes():
    code = space().encoding
    macs = candidates.limit(space(), 0.5)
    full = draws.fill(code, code.smallest, macs=macs)
    found, _, _ = entered([code.smallest, full], evolved=3)
    evolved = [one for one in found if one.method == "evolved"]
    assert [(one.genome, one.tried) for one in evolved] == [(full, code.smallest)]


def changed(entrants, method, number=1, **after):
    return [
        dataclasses.replace(one, after={**one.after, **after})
        if (one.entry.method, one.entry.number) == (method, number)
        else one
        for one in entrants
    ]


def test_the_winner_has_the_highest_auroc_then_the_lowest_loss_then_comes_first():
    entrants = outcome().entrants  # taylor is best after the training, evolved before it
    assert contest.winner(entrants).entry.method == "taylor"
    tied = changed(entrants, "random", auroc=0.90625, loss=0.0625)
    assert contest.winner(tied).entry.method == "random"
    equal = changed(entrants, "bn_scale", auroc=0.90625, loss=0.09375)
    assert contest.winner(equal).entry.method == "bn_scale"  # stands before taylor
    assert contest.winner(equal[::-1]).entry.method == "bn_scale"
    lost = changed(entrants, "taylor", loss=None, auroc=0.0, diverged=True)
    assert contest.winner(lost).entry.method == "evolved"


def test_every_method_has_its_best_and_the_pick_is_the_best_of_all():
    entrants = changed(outcome().entrants, "evolved", 2, auroc=0.890625)
    found = contest.picks(entrants)
    assert list(found) == ["pruned", "evolved", "uniform", "global", "bn_scale", "taylor", "reconstruction", "random", "sensitivity"]  # fmt: skip
    assert found["pruned"] is found["taylor"]
    assert (found["evolved"].entry.method, found["evolved"].entry.number) == ("evolved", 2)
    assert "taylor" not in contest.picks([x for x in entrants if x.entry.method != "taylor"])


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    monkeypatch.setenv("CXR_WORKERS", "1")


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    folder = tmp_path_factory.mktemp("contest")
    make(folder)
    return begin(folder)


def entries(begun):
    code = begun.space.encoding
    whole, small = (
        Entry(method=method, number=1, encoding=code, genome=genome, tried=None)
        for method, genome in (("evolved", code.whole), ("uniform", code.smallest))
    )
    return {(0, 0.5): [whole, small], (0, 0.3): [small]}


def test_each_network_is_judged_as_cut_and_after_the_training(begun, tmp_path):
    court = judge(tmp_path, begun)
    found = contest.hold(court, entries(begun), samples=8)
    assert [len(own) for own in found.values()] == [2, 1]
    (whole, small), (again,) = found.values()
    assert again == small
    for one in (whole, small):
        assert [one.before] == court.cut([one.network])
        assert [one.after] == court.trained([one.network], samples=8)
        assert one.before["loss"] != one.after["loss"]


def test_where_every_training_diverges_nobody_is_handed_over(begun, tmp_path):
    court = judge(tmp_path, begun)
    court.optimizer = dataclasses.replace(
        court.optimizer, learning_rate=1e30, head_learning_rate=1e30
    )
    with pytest.raises(ValueError, match=r"short training of fold 0 at 50 % of the MACs diverged"):
        contest.hold(court, entries(begun), samples=64)


def test_made_up_results_have_the_form_of_real_ones(begun, tmp_path):
    """What the tests of tables and figures rest on."""
    court, code = judge(tmp_path, begun), begun.space.encoding
    one = Entry(method="uniform", number=1, encoding=code, genome=code.smallest, tried=None)
    real = court.cut([one.network(0)])[0]
    assert sorted(real) == sorted(said(0.5)) and sorted(real["labels"]) == ["a", "b"]
