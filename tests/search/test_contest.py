"""Evolution against chance: as many networks for both, none trained twice, picks repeat exactly."""

from __future__ import annotations

import dataclasses
import itertools
import json

import numpy as np
import pytest

from cxr import artifacts, params
from cxr.search import contest, fitness, space
from cxr.training.recipe import Recipe
from tests.search.settings import TRAINING, open_space

TINY = {"stages": [1, 1], "kernels": [3], "expansions": [2]}  # 2 x 3 x 2 x 2 = 24 networks


@pytest.fixture
def folds(tmp_path):
    recipe = params.build(Recipe, TRAINING, where="recipe")
    rows = np.arange(4)
    return [fitness.Task(recipe, tmp_path, rows, rows, 16, fold, 1) for fold in (0, 1)]


@pytest.fixture
def trained(monkeypatch):
    """Replace training by a score that the architecture decides; returns what was `trained`."""
    seen = []

    def evaluate(task):
        architecture = task.recipe.backbone_options
        seen.append((task.fold, artifacts.canonical_json(architecture)))
        width = architecture["stages"][0]["width"]
        macs = space.staged.count(architecture, size_px=32)[1]
        return {
            "auroc": 0.5 + width / 100,
            "loss": 1.0,
            "macs": macs,
            "parameters": 1,
            "samples": 4,
        }

    monkeypatch.setattr(fitness, "evaluate", evaluate)
    monkeypatch.setenv("CXR_WORKERS", "1")
    return seen


def rivals(found, *, population=4, generations=3, folds=2):
    return contest.searches(
        found, folds=folds, population=population, generations=generations, seed=1
    )


def test_both_methods_try_as_many_networks_and_none_is_trained_twice(folds, trained, tmp_path):
    found = open_space()
    tried, results = contest.explore(rivals(found), found, folds, folder=tmp_path, words="x")
    assert {key: len(members) for key, members in tried.items()} == dict.fromkeys(
        itertools.product((0, 1), ("evolved", "random")), 12
    )
    for members in tried.values():
        assert len({found.identity(member.genome) for member in members}) == 12
        assert all(found.allowed(member.genome) for member in members)
    assert len(trained) == len(set(trained)) == len(results)
    assert set(results) == {
        (fold, found.identity(m.genome)) for (fold, _), members in tried.items() for m in members
    }


def test_records_are_replayed_to_the_same_end(folds, trained, tmp_path):
    found = open_space()
    first = contest.explore(rivals(found), found, folds, folder=tmp_path, words="x")
    done = len(trained)
    for path in sorted(tmp_path.glob("*.json"))[::2]:
        path.unlink()
    again = contest.explore(rivals(open_space()), found, folds, folder=tmp_path, words="x")
    assert again == first
    assert len(trained) - done == -(-done // 2)


def test_folds_search_by_themselves(folds, trained, tmp_path):
    found = open_space()
    tried, _ = contest.explore(rivals(found), found, folds, folder=tmp_path, words="x")
    assert [m.genome for m in tried[0, "random"]] != [m.genome for m in tried[1, "random"]]
    alone, _ = contest.explore(
        rivals(found, folds=1), found, folds[:1], folder=tmp_path / "alone", words="x"
    )
    assert alone == {key: members for key, members in tried.items() if key[0] == 0}


def test_a_space_smaller_than_what_is_asked_is_told_before_anything_is_trained(trained):
    assert rivals(open_space(**TINY), population=12, generations=2)
    with pytest.raises(
        ValueError, match=r"population 5 x generations 5 asks for 25 .* only 24 diff"
    ):
        rivals(open_space(**TINY), population=5, generations=5)
    assert trained == []


def test_picks_that_score_otherwise_the_second_time_are_refused(folds, monkeypatch, tmp_path):
    network = artifacts.canonical_json(open_space().architecture((0,) * 12))
    result = {"auroc": 0.9, "loss": 0.3}
    monkeypatch.setenv("CXR_WORKERS", "1")
    asked = []

    def retrain(work):
        asked.append((json.loads(network) == work[0].recipe.backbone_options, work[0].fold))
        return {"fold": work[0].fold}, {"auroc": 0.9, "loss": 0.3}

    monkeypatch.setattr(fitness, "retrain", retrain)
    results = {(0, network): result, (1, network): result}
    found = contest.retrain(sorted(results), results, folds, folder=tmp_path, words="x")
    assert found == {(0, network): {"fold": 0}, (1, network): {"fold": 1}}
    assert asked == [(True, 0), (True, 1)]
    results[1, network] = {"auroc": 0.9, "loss": np.nextafter(0.3, 1)}
    with pytest.raises(ValueError, match=r"of fold 1, trained once more, .* run `make doctor`"):
        contest.retrain(sorted(results), results, folds, folder=tmp_path, words="x")


def test_a_fold_s_task_differs_from_its_candidates_in_the_architecture_alone(
    folds, trained, tmp_path
):
    seen = []

    def evaluate(task):
        seen.append(task)
        return {"auroc": 0.5, "loss": 1.0, "macs": 1, "parameters": 1, "samples": 4}

    fitness.evaluate = evaluate  # put back by `trained`
    found = open_space()
    contest.explore(
        rivals(found, population=2, generations=1), found, folds, folder=tmp_path, words="x"
    )
    for task in seen:
        assert task.recipe.backbone_options
        recipe = dataclasses.replace(task.recipe, backbone_options={})
        assert dataclasses.replace(task, recipe=recipe) == folds[task.fold]
