"""A pre-filter chooses only after its proxy was proven; until then the first child is taken."""

from __future__ import annotations

import pytest

from cxr.evolution.genes import Evaluated
from cxr.search import fitness, prefilter
from cxr.search.settings import Prefilter as Settings
from tests.search.made_up import SPACE, judge, trained

__all__ = ["trained"]
GENOMES = [(i,) for i in range(12)]


def evaluated(genomes, scores):
    """Return generation 0 as the first rung judged it."""
    return [
        Evaluated(0, 0, genome, (1.0 - score, 0.0))
        for genome, score in zip(genomes, scores, strict=True)
    ]


def made():
    return prefilter.Prefilter(lambda genome: float(genome[0]), draws=3, seed=1, fold=0)


@pytest.mark.parametrize(
    ("scores", "acts"),
    [
        ([i / 20 for i in range(12)], True),
        ([-i / 20 for i in range(12)], False),
        ([0.5] * 12, False),  # tau is undefined
        ([0.5 + (7 * i % 12) / 100 for i in range(12)], False),  # no order
    ],
)
def test_it_acts_only_where_the_interval_of_tau_lies_above_zero(scores, acts):
    found, first = made(), evaluated(GENOMES, scores)
    later = [Evaluated(1, 0, (0,), (0.9, 0.0)), Evaluated(0, 1, (0,), (0.9, 0.0))]
    assert found.prefer([(1,), (5,), (3,)], 0, [*first, *later]) == (1 if acts else 0)
    assert found.proof(first) == made().proof(first) and found.proof(first)[0] == acts


def test_of_equals_the_first_is_preferred():
    first = evaluated(GENOMES, [i / 20 for i in range(12)])
    assert made().prefer([(1,), (5,), (5,)], 0, first) == 1


def test_each_fold_has_its_own_and_asks_the_proxy_once_for_a_genome(tmp_path, trained, monkeypatch):
    asked, said = [], fitness.proxies
    monkeypatch.setattr(fitness, "proxies", lambda task, names: asked.append((task.fold, names)) or said(task, names))  # fmt: skip
    tasks = judge(tmp_path).folds
    filters = prefilter.make(Settings(proxy="macs", draws=4), SPACE, tasks, seed=1)
    assert [one.draws for one in filters] == [4, 4]
    genomes = [next(iter(SPACE.all())), *list(SPACE.all())[-12:]]
    widths = [SPACE.architecture(genome)["stages"][-1]["width"] for genome in genomes]
    first = evaluated(genomes, [width / 1000 for width in widths])
    for one in filters:
        one.prefer(genomes[:2], 0, first)
        one.prefer(genomes[:2], 1, first)
    assert asked == [(fold, ("macs",)) for fold in (0, 1) for _ in genomes]
    assert all(one.proof([])[1].count == len(genomes) for one in filters)


def test_an_unknown_proxy_is_told(tmp_path):
    tasks = judge(tmp_path).folds
    with pytest.raises(ValueError, match="unknown search/proxies 'luck': known are"):
        prefilter.make(Settings(proxy="luck", draws=2), SPACE, tasks, seed=1)
