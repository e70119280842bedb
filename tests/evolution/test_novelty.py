"""Only what is allowed and new passes, each identity once."""

from __future__ import annotations

import numpy as np

from cxr.evolution import novelty
from cxr.evolution.genes import Gene, Genome

GENES = [Gene(name="a", size=3, ordered=True), Gene(name="b", size=4, ordered=False)]


def test_an_identity_passes_once() -> None:
    new = novelty.Novelty(lambda genome: genome[0] > 0, lambda genome: genome[0])
    wanted = [(0, 0), (1, 0), (1, 3), (2, 1), (2, 1)]
    assert [new.admit(genome) for genome in wanted] == [False, True, False, True, False]


def test_the_first_that_passes_is_returned_and_remembered() -> None:
    new = novelty.Novelty(lambda genome: sum(genome) > 2, novelty.itself)
    asked: list[Genome] = [(0, 0), (2, 1), (2, 2)]
    assert [new.first(asked) for _ in range(3)] == [(2, 1), (2, 2), None]


def test_a_refused_genome_is_not_remembered() -> None:
    caps = [0]
    new = novelty.Novelty(lambda genome: genome[0] <= caps[0], novelty.itself)
    assert not new.admit((1, 0))
    caps[0] = 1
    assert new.admit((1, 0))


def test_uniform_draws_are_uniform_and_keyed() -> None:
    drawn = list(novelty.uniform(GENES, 1, "test", 0))
    assert len(drawn) == novelty.DRAWS
    assert drawn == list(novelty.uniform(GENES, 1, "test", 0))
    assert drawn != list(novelty.uniform(GENES, 1, "test", 1))
    counts = np.zeros((3, 4))
    np.add.at(counts, tuple(np.array(drawn).T), 1)
    np.testing.assert_allclose(counts / novelty.DRAWS, np.full((3, 4), 1 / 12), atol=0.03)


def test_the_fresh_are_yielded_once_each_and_not_remembered() -> None:
    new = novelty.Novelty(lambda genome: genome[0] > 0, lambda genome: genome[0])
    assert new.admit((3, 0))
    wanted = [(0, 0), (1, 0), (1, 3), (3, 1), (2, 1), (2, 1)]
    assert list(new.fresh(wanted)) == [(1, 0), (2, 1)] == list(new.fresh(wanted))
    assert new.admit((1, 3))
    assert list(new.fresh(wanted)) == [(2, 1)]


def test_the_fresh_are_looked_for_no_further_than_asked() -> None:
    new = novelty.Novelty(lambda genome: True, novelty.itself)
    wanted = iter([(0, 0), (1, 0), (2, 0)])
    assert next(new.fresh(wanted)) == (0, 0) and list(wanted) == [(1, 0), (2, 0)]
