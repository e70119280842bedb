"""A whole pruning: what is judged, by what the search goes, and what comes of every fold and share."""

import dataclasses

import pytest

from cxr import numerics
from cxr.pruning import candidates, fitness, latency, sensitivity, start, tournament
from cxr.pruning.settings import Contest, Survivors, Terms
from cxr.training import models
from tests.pruning.parents import SIZE, begin, judge, make, turn, wide
from tests.pruning.test_latency import whole

numerics.exact_torch()
TERMS = Terms(
    shares=[0.5, 0.3], window=0.97, fitness="auroc", worst_label=None, population=3,
    generations=2, survivors=None, contest=Contest(evolved=2, samples=8),
)  # fmt: skip
BASELINES = ["uniform", "global", "bn_scale", "taylor", "reconstruction", "random", "sensitivity"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tournament")
    turn(make(folder, wide(), folds=1))  # good enough for a cut to lose something
    return folder


@pytest.fixture(scope="module")
def begun(folder):
    return begin(folder)


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    monkeypatch.setenv("CXR_WORKERS", "1")


def hold(folder, begun, **changes):
    """Hold a tournament with the records of all tests of this file: what is judged twice is the same."""
    court = judge(folder, begun)
    wholes, outcomes = tournament.hold(court, dataclasses.replace(TERMS, **changes), seed=7)
    return court, wholes, outcomes


def test_every_share_is_searched_and_has_its_contest(folder, begun, capsys):
    court, (parent,), outcomes = hold(folder, begun)
    task = fitness.Task(begun.fold, begun.taught_NL, {}, begun.space.encoding.cost)
    assert parent == fitness.evaluate(task)
    assert [(one.fold, one.share) for one in outcomes] == [(0, 0.5), (0, 0.3)]
    for one in outcomes:
        assert len(one.evaluated) == 6 and set(one.found) == {(x.genome, 0) for x in one.evaluated}
        limit = candidates.limit(begun.space, one.share)
        methods = [entrant.entry.method for entrant in one.entrants]
        assert methods == ["evolved", "evolved", *BASELINES]
        assert all(entrant.network.macs <= limit for entrant in one.entrants)
        assert one.origins[one.evaluated[0].genome] == "uniform"
        for x in one.evaluated:
            said = one.found[x.genome, 0]
            assert x.objectives == (1 - said["auroc"], 0.0)
        best = max(one.found[x.genome, 0]["auroc"] for x in one.evaluated)
        assert one.entrants[0].before["auroc"] == best  # all were as large as they may be
    asked = len(sensitivity.asked(begun.space.ranked["l1_norm"]))
    words = capsys.readouterr().err
    assert f"at most {1 + asked + 2 * (6 + 9)} evaluations and 18 short trainings" in words
    assert asked < court.evaluations <= 1 + asked + 2 * (6 + 8)
    assert "generation 2 of 2" in words and "generation 3" not in words


def test_the_sensitivity_is_told_the_losses_of_groups_cut_alone(folder, begun):
    court, _, outcomes = hold(folder, begun)
    code = begun.space.ranked["l1_norm"]
    asked = [code.whole, *sensitivity.asked(code)]
    said = court.cut([tournament._network(0, code, genome) for genome in asked])
    losses = {genome: one["loss"] for genome, one in zip(asked, said, strict=True)}
    limit = candidates.limit(begun.space, 0.5)
    (entrant,) = (x for x in outcomes[0].entrants if x.entry.method == "sensitivity")
    assert entrant.entry.genome == sensitivity.genome(code, losses, macs=limit)


def test_survivors_are_trained_and_only_they_can_be_picked(folder, begun, capsys):
    terms = {"survivors": Survivors(networks=1, samples=16), "shares": [0.5]}
    _, _, (one,) = hold(folder, begun, **terms)
    top = [x for x in one.evaluated if x.rung == 1]
    assert [x.generation for x in top] == [0, 1] and len(one.evaluated) == 8
    for x in top:
        said = one.found[x.genome, 1]
        assert said["samples"] == 16 and x.objectives[0] == 1 - said["auroc"]
        assert said["loss"] != one.found[x.genome, 0]["loss"]
    evolved = [x.entry.tried for x in one.entrants if x.entry.method == "evolved"]
    assert sorted(evolved) == sorted(x.genome for x in top)
    assert "11 short trainings" in capsys.readouterr().err  # 2 survivors, 9 in the contest


def test_the_fitness_and_the_bound_on_the_worst_label_are_the_first_objective(folder, begun):
    _, (parent,), (one,) = hold(folder, begun, fitness="distance", worst_label=0.0, shares=[0.5])
    costly = 0
    for x in one.evaluated:
        said = one.found[x.genome, 0]
        _, fall = fitness.worst(said, parent)
        assert x.objectives[0] == said["distance"] + 10 * max(0.0, fall)
        costly += fall > 0
    assert costly


def test_microseconds_of_a_table_are_the_second_objective(folder, begun):
    layers = latency.layers(models.load(begun.fold.model, 0).network, size_px=SIZE)
    task = start.Task(
        fold=begun.fold,
        criterion="l1_norm",
        encoding="counts",
        multiple=8,
        table=whole(layers),
        seed=7,
    )
    timed = start.make(task)
    _, _, (one,) = hold(folder, timed, shares=[0.5])
    times = [timed.timing.microseconds(x.genome) for x in one.evaluated]
    assert [x.objectives[1] for x in one.evaluated] == times and len(set(times)) > 1


def test_a_share_that_cannot_be_reached_is_told_before_anything_is_judged(tmp_path, begun):
    with pytest.raises(ValueError, match=r"share 0\.02 can't be reached"):
        hold(tmp_path, begun, shares=[0.5, 0.02])
    assert not (tmp_path / "records").exists()
