"""Genes and what is evaluated: nothing without a choice, nothing that is no number."""

from __future__ import annotations

import math
import re

import pytest

from cxr.evolution import genes
from cxr.evolution.genes import Evaluated, Gene


def test_a_gene_without_values_is_refused() -> None:
    with pytest.raises(ValueError, match="gene width needs at least one value, not 0"):
        Gene(name="width", size=0, ordered=True)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_objective_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=re.escape("genome (1, 2) in generation 3")):
        Evaluated(3, (1, 2), (0.5, value))


def test_genomes_and_their_objectives_come_together() -> None:
    members = genes.evaluated(2, [(0,), (1,)], [(0.5, 1.0), (0.25, 3.0)])
    assert members == [Evaluated(2, (0,), (0.5, 1.0)), Evaluated(2, (1,), (0.25, 3.0))]
    assert genes.objectives_NM(members).tolist() == [[0.5, 1.0], [0.25, 3.0]]


def test_objectives_must_be_sent_for_each_genome() -> None:
    with pytest.raises(ValueError, match="shorter"):
        genes.evaluated(0, [(0,), (1,)], [(0.5,)])


@pytest.mark.parametrize(("count", "population", "generations"), [(0, 4, 1), (1, 1, 1), (1, 4, 0)])
def test_a_search_that_can_not_run_is_refused(
    count: int, population: int, generations: int
) -> None:
    offered = [Gene(name="depth", size=3, ordered=True)] * count
    with pytest.raises(ValueError, match="a search needs"):
        genes.check(offered, population=population, generations=generations)
    genes.check([Gene(name="depth", size=3, ordered=True)], population=2, generations=1)
