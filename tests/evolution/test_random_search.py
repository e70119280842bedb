"""Random search draws allowed, new genomes uniformly, as many as asked for; it repeats and continues itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cxr.evolution.genes import Evaluated, Gene, Genome, objectives_NM
from cxr.evolution.random_search import random_search
from cxr.evolution.survival import survivors
from tests.evolution.problems import ZDT1_GENES, run, sha256, zdt1


def _search(genes: list[Gene] = ZDT1_GENES, **settings: Any) -> list[Evaluated]:
    chosen: dict[str, Any] = {
        "rungs": [8], "generations": 6, "seed": 1, "stream": ("test",),
        "allowed": lambda _: True, **settings,
    }  # fmt: skip
    return run(random_search(genes, **chosen), lambda genome: zdt1((*genome, 1)))


def test_ten_generations_are_the_beginning_of_twenty() -> None:
    short, long = _search(generations=10), _search(generations=20)
    assert long[:80] == short and len(long) == 160
    assert [member.generation for member in long] == [i // 8 for i in range(160)]


def test_the_search_on_one_rung_is_what_it_has_always_been() -> None:
    """Known bytes, from before there were rungs."""
    search = random_search(
        ZDT1_GENES, rungs=[8], generations=6, seed=5, stream=("golden",),
        allowed=lambda genome: sum(genome) % 3 > 0,
    )  # fmt: skip
    found = [[member.generation, member.genome, member.objectives] for member in run(search, zdt1)]
    assert sha256(found) == "fd44118afcc61d58c58c0d623a216538a18e74a9383f4cb32d46b213c9916084"


def test_on_several_rungs_the_same_are_drawn_and_the_best_go_on() -> None:
    """The draws don't depend on the rungs; the rule of who goes on is that of NSGA-II."""
    flat, members = _search(), _search(rungs=[8, 3, 1])
    assert [m for m in members if m.rung == 0] == flat and len(members) == 6 * (8 + 3 + 1)
    assert members[: 3 * 12] == _search(rungs=[8, 3, 1], generations=3)
    for generation in range(6):
        own = members[12 * generation : 12 * (generation + 1)]
        assert [(m.generation, m.rung) for m in own] == [
            (generation, rung) for rung in [0] * 8 + [1] * 3 + [2]
        ]
        best = survivors(objectives_NM(own[:8]), 3)
        assert [m.genome for m in own[8:11]] == [own[i].genome for i in best]


def test_another_seed_or_stream_draws_others() -> None:
    first = _search()
    assert _search() == first
    assert _search(seed=2) != first and _search(stream=("other",)) != first


def test_draws_do_not_depend_on_what_was_found() -> None:
    settings: Any = {
        "rungs": [5], "generations": 4, "seed": 1, "stream": ("test",), "allowed": lambda _: True,
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
    values = np.array([member.genome for member in _search(genes, rungs=[50], generations=20)])
    np.testing.assert_allclose(np.bincount(values[:, 0]) / 1000, [0.25] * 4, atol=0.05)
    assert values[:, 1].mean() == pytest.approx(249.5, abs=15)


def test_a_space_that_is_used_up_ends_the_search() -> None:
    genes = [Gene(name="a", size=3, ordered=True), Gene(name="b", size=4, ordered=False)]
    members = _search(genes, rungs=[5])
    assert sorted(member.genome for member in members) == [
        (a, b) for a in range(3) for b in range(4)
    ]
    assert [member.generation for member in members] == [0] * 5 + [1] * 5 + [2] * 2


def test_nothing_allowed_is_said_with_the_cure() -> None:
    with pytest.raises(ValueError, match="no allowed genome found in 1000 draws: loosen the caps"):
        _search(allowed=lambda _: False)
