"""Genes and what is evaluated: nothing without a choice, nothing that is no number."""

from __future__ import annotations

import math
import re

import pytest

from cxr.evolution import genes
from cxr.evolution.genes import Asked, Evaluated, Gene


def test_a_gene_without_values_is_refused() -> None:
    with pytest.raises(ValueError, match="gene width needs at least one value, not 0"):
        Gene(name="width", size=0, ordered=True)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_objective_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=re.escape("genome (1, 2) in generation 3")):
        Evaluated(3, 0, (1, 2), (0.5, value))


def test_what_was_asked_and_the_objectives_come_together() -> None:
    members = genes.evaluated(2, [Asked((0,), 1), Asked((1,), 1)], [(0.5, 1.0), (0.25, 3.0)])
    assert members == [Evaluated(2, 1, (0,), (0.5, 1.0)), Evaluated(2, 1, (1,), (0.25, 3.0))]
    assert genes.objectives_NM(members).tolist() == [[0.5, 1.0], [0.25, 3.0]]


def test_objectives_must_be_sent_for_each_genome() -> None:
    with pytest.raises(ValueError, match="shorter"):
        genes.evaluated(0, [Asked((0,), 0), Asked((1,), 0)], [(0.5,)])


@pytest.mark.parametrize(
    ("count", "rungs", "generations"),
    [(0, [4], 1), (1, [1], 1), (1, [4], 0), (1, [], 1), (1, [1, 0], 1)],
)
def test_a_search_that_can_not_run_is_refused(
    count: int, rungs: list[int], generations: int
) -> None:
    offered = [Gene(name="depth", size=3, ordered=True)] * count
    with pytest.raises(ValueError, match="a search needs"):
        genes.check(offered, rungs=rungs, generations=generations)
    genes.check([Gene(name="depth", size=3, ordered=True)], rungs=[2], generations=1)


@pytest.mark.parametrize("rungs", [[4, 4], [4, 5], [8, 3, 3], [8, 3, 4], [4, 0], [4, 2, -1]])
def test_rungs_that_do_not_fall_are_refused(rungs: list[int]) -> None:
    offered = [Gene(name="depth", size=3, ordered=True)]
    with pytest.raises(ValueError, match=r"each rung must judge fewer .* not \[") as told:
        genes.check(offered, rungs=rungs, generations=1)
    assert str(rungs) in str(told.value)
    genes.check(offered, rungs=[8, 3, 1], generations=1)
