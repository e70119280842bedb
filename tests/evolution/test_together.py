"""Searches side by side give what each gives alone, and every generation is one call."""

from __future__ import annotations

from typing import Any

import pytest

from cxr.evolution.genes import Asked, Search, evaluated
from cxr.evolution.nsga2 import nsga2
from cxr.evolution.random_search import random_search
from cxr.evolution.together import run_together
from tests.evolution.problems import ZDT1_GENES, run, zdt1


def _searches(**generations: int) -> dict[str, Search]:
    settings: Any = {"rungs": [4], "seed": 1, "stream": ("test",), "allowed": lambda _: True}
    return {
        name: (nsga2 if name == "evolved" else random_search)(
            ZDT1_GENES, generations=count, **settings
        )
        for name, count in generations.items()
    }


def test_together_is_as_alone_and_one_call_per_generation() -> None:
    calls: list[list[str]] = []

    def evaluate(wanted: list[tuple[str, Asked]]) -> list[tuple[float, ...]]:
        calls.append([key for key, _ in wanted])
        return [zdt1(asked.genome) for _, asked in wanted]

    generations = {"evolved": 5, "random": 3}
    found = run_together(_searches(**generations), evaluate)
    alone = _searches(**generations)
    assert found == {name: run(alone[name], zdt1) for name in generations}
    assert list(found) == ["evolved", "random"]
    both = ["evolved"] * 4 + ["random"] * 4
    assert calls == [both] * 3 + [["evolved"] * 4] * 2


def test_each_call_is_a_rung_of_all() -> None:
    calls: list[list[tuple[str, int]]] = []

    def evaluate(wanted: list[tuple[str, Asked]]) -> list[tuple[float, ...]]:
        calls.append([(key, asked.rung) for key, asked in wanted])
        return [zdt1(asked.genome) for _, asked in wanted]

    settings: Any = {"seed": 1, "stream": ("test",), "allowed": lambda _: True}
    searches = {
        "high": nsga2(ZDT1_GENES, rungs=[4, 2, 1], generations=2, **settings),
        "low": random_search(ZDT1_GENES, rungs=[3, 1], generations=2, **settings),
    }
    found = run_together(searches, evaluate)
    assert [len(found[name]) for name in found] == [14, 8]
    first = [("high", 0)] * 4 + [("low", 0)] * 3
    second = [("high", 1)] * 2 + [("low", 1)]
    assert calls[:3] == [first, second, [("high", 2)] + [("low", 0)] * 3]


def test_no_search_asks_for_nothing() -> None:
    assert run_together({}, lambda wanted: pytest.fail(f"asked for {wanted}")) == {}


def test_an_empty_generation_is_answered_without_a_call() -> None:
    def patient() -> Search:
        answer = yield []
        assert answer == []
        asked = [Asked((7,), 0)]
        return evaluated(1, asked, (yield asked))

    found = run_together(
        {"patient": patient()}, lambda wanted: [(float(a.genome[0]),) for _, a in wanted]
    )
    assert [member.objectives for member in found["patient"]] == [(7.0,)]


def test_too_few_answers_are_our_own_bug() -> None:
    with pytest.raises(ValueError, match="shorter"):
        run_together(_searches(evolved=1), lambda wanted: [zdt1(wanted[0][1].genome)])


def test_a_fault_in_the_evaluation_comes_out_as_it_is() -> None:
    def refuse(_: Any) -> list[tuple[float, ...]]:
        raise ValueError("image 3 can't be read")

    with pytest.raises(ValueError, match="image 3 can't be read"):
        run_together(_searches(evolved=1), refuse)
