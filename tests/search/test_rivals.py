"""Who competes: as many networks for both methods, the same ones to begin with, each a grid once."""

from __future__ import annotations

import pytest

from cxr.evolution.together import run_together
from cxr.search import rivals
from tests.search.settings import open_space, terms

# 1 or 2 blocks, 2 kinds, 2 strides: few networks
TINY = {"blocks": ["plain"], "depths": [1], "kernels": [3], "squeeze_excitation": [False]}
TERMS = {"rungs": [{"networks": 4, "samples": 1}, {"networks": 2, "samples": 2}], "generations": 3}


def run(searches, space):
    """Judge by MACs alone; return (generation, rung, network) by fold and method."""

    def evaluate(waiting):
        return [
            (1.0 / space.cost(asked.genome).macs, float(space.cost(asked.genome).macs))
            for _, asked in waiting
        ]

    found = run_together(searches, evaluate)
    return {
        which: [(x.generation, x.rung, space.identity(x.genome)) for x in members]
        for which, members in found.items()
    }


def test_both_methods_judge_as_many_networks_on_every_rung_and_begin_alike():
    space = open_space()
    found = run(rivals.searches(space, terms(**TERMS), folds=2, seed=1), space)
    assert list(found) == [(0, "evolved"), (0, "random"), (1, "evolved"), (1, "random")]
    shape = [(generation, rung) for generation in range(3) for rung in (0, 0, 0, 0, 1, 1)]
    for members in found.values():
        assert [member[:2] for member in members] == shape
        cheap = [network for _, rung, network in members if rung == 0]
        assert len(set(cheap)) == 12
    for fold in (0, 1):
        begin = [found[fold, method][:6] for method in ("evolved", "random")]
        assert begin[0] == begin[1]
        assert found[fold, "evolved"][6:10] != found[fold, "random"][6:10]
    assert found[0, "random"] != found[1, "random"]


def test_a_method_finds_the_same_whoever_competes_and_however_many_folds():
    space = open_space()
    both = run(rivals.searches(space, terms(**TERMS), folds=2, seed=1), space)
    for method in ("evolved", "random"):
        one = rivals.searches(space, terms(**TERMS, methods=[method]), folds=1, seed=1)
        assert run(one, space) == {(0, method): both[0, method]}


def test_more_generations_begin_with_the_same_ones():
    space = open_space()
    few, many = (
        run(rivals.searches(space, terms(**{**TERMS, "generations": n}), folds=1, seed=1), space)
        for n in (2, 4)
    )
    for which, members in few.items():
        assert many[which][: len(members)] == members


def test_a_grid_tries_every_network_under_the_caps_once():
    space = open_space(**TINY)
    networks = {space.identity(genome) for genome in space.all() if space.allowed(genome)}
    grid = {"methods": ["grid"], "generations": 1}
    exact = terms(**grid, rungs=[{"networks": len(networks), "samples": 1}])
    found = run(rivals.searches(space, exact, folds=2, seed=1), space)
    for fold in (0, 1):
        tried = [network for _, _, network in found[fold, "grid"]]
        assert len(tried) == len(networks) and set(tried) == networks
    few = terms(**grid, rungs=[{"networks": len(networks) - 1, "samples": 1}])
    with pytest.raises(ValueError, match=rf"the grid has {len(networks)} networks .* lets in"):
        rivals.searches(space, few, folds=1, seed=1)


def test_a_space_too_large_for_a_grid_is_told(monkeypatch):
    monkeypatch.setattr(rivals, "GRID", 100)
    one = terms(methods=["grid"], generations=1, rungs=[{"networks": 9, "samples": 1}])
    with pytest.raises(ValueError, match=r"genomes, a grid goes through 100 at most: search it"):
        rivals.searches(open_space(), one, folds=1, seed=1)


def test_a_space_smaller_than_what_is_asked_is_told():
    space = open_space(**TINY)
    known = len({space.identity(genome) for genome in space.all() if space.allowed(genome)})
    asked = [{"networks": known, "samples": 1}]
    assert rivals.searches(space, terms(rungs=asked, generations=1), folds=1, seed=1)
    with pytest.raises(
        ValueError, match=rf"{known} networks x 2 generations are {2 * known} .* only {known} diff"
    ):
        rivals.searches(space, terms(rungs=asked, generations=2), folds=1, seed=1)
