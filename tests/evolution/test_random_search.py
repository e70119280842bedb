"""Random search draws allowed, new genomes uniformly, as many as asked for; it repeats and continues itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cxr.evolution.genes import Evaluated, Gene, Genome
from cxr.evolution.random_search import random_search
from tests.evolution.problems import ZDT1_GENES, run, zdt1


def _search(genes: list[Gene] = ZDT1_GENES, **settings: Any) -> list[Evaluated]:
    chosen: dict[str, Any] = {
        "population": 8, "generations": 6, "seed": 1, "stream": ("test",),
        "allowed": lambda _: True, **settings,
    }  # fmt: skip
    return run(random_search(genes, **chosen), lambda genome: zdt1((*genome, 1)))


def test_ten_generations_are_the_beginning_of_twenty() -> None:
    short, long = _search(generations=10), _search(generations=20)
    assert long[:80] == short and len(long) == 160
    assert [member.generation for member in long] == [i // 8 for i in range(160)]


def test_another_seed_or_stream_draws_others() -> None:
    first = _search()
    assert _search() == first
    assert _search(seed=2) != first and _search(stream=("other",)) != first


def test_draws_do_not_depend_on_what_was_found() -> None:
    settings: Any = {
        "population": 5, "generations": 4, "seed": 1, "stream": ("test",), "allowed": lambda _: True,
    }  # fmt: skip
    found = [
        [member.genome for member in run(random_search(ZDT1_GENES, **settings), objectives)]
        for objectives in (zdt1, lambda _: (0.0, 0.0))
    ]
    assert found[0] == found[1]


def test_only_what_is_allowed_is_drawn_and_nothing_twice() -> None:
    def odd(genome: Genome) -> bool:
        return sum(genome) % 2 == 1

    members = _search(generations=15, allowed=odd, identity=lambda genome: genome[:5])
    assert all(odd(member.genome) for member in members)
    assert len({member.genome[:5] for member in members}) == len(members) == 120


def test_values_are_drawn_uniformly() -> None:
    genes = [Gene(name="a", size=4, ordered=True), Gene(name="b", size=500, ordered=True)]
    values = np.array([member.genome for member in _search(genes, population=50, generations=20)])
    np.testing.assert_allclose(np.bincount(values[:, 0]) / 1000, [0.25] * 4, atol=0.05)
    assert values[:, 1].mean() == pytest.approx(249.5, abs=15)


def test_a_space_that_is_used_up_ends_the_search() -> None:
    genes = [Gene(name="a", size=3, ordered=True), Gene(name="b", size=4, ordered=False)]
    members = _search(genes, population=5)
    assert sorted(member.genome for member in members) == [
        (a, b) for a in range(3) for b in range(4)
    ]
    assert [member.generation for member in members] == [0] * 5 + [1] * 5 + [2] * 2


def test_nothing_allowed_is_said_with_the_cure() -> None:
    with pytest.raises(ValueError, match="no allowed genome found in 1000 draws: loosen the caps"):
        _search(allowed=lambda _: False)
