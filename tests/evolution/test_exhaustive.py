"""Exhaustive search: every allowed genome once, in the given order, in one go."""

from __future__ import annotations

import itertools

import pytest

from cxr.evolution.exhaustive import exhaustive
from tests.evolution.problems import run

GRID = list(itertools.product(range(3), range(4)))


def test_every_genome_is_judged_once_in_the_given_order_at_the_given_rung() -> None:
    search = exhaustive(iter(GRID), rung=2, allowed=lambda _: True)
    assert next(search) == [(genome, 2) for genome in GRID]
    members = run(
        exhaustive(GRID, rung=2, allowed=lambda _: True), lambda genome: (float(sum(genome)),)
    )
    assert [member.genome for member in members] == GRID
    assert [member.objectives for member in members] == [(float(a + b),) for a, b in GRID]
    assert {(member.generation, member.rung) for member in members} == {(0, 2)}


def test_only_what_is_allowed_and_each_identity_once() -> None:
    search = exhaustive(
        GRID[::-1], rung=0, allowed=lambda genome: genome[1] > 1, identity=lambda genome: genome[0]
    )
    assert [genome for genome, _ in next(search)] == [(2, 3), (1, 3), (0, 3)]


def test_nothing_allowed_is_said_with_the_cure() -> None:
    with pytest.raises(ValueError, match=r"none of the genomes .* is allowed: loosen the caps"):
        next(exhaustive(GRID, rung=0, allowed=lambda _: False))
