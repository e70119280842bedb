"""A pre-filter chooses only after its proxy was proven; until then the first child is taken."""

from __future__ import annotations

import pytest

from cxr import artifacts
from cxr.search import fitness, prefilter
from cxr.search.settings import Prefilter as Settings
from cxr.seeding import stream
from tests.search.made_up import SPACE, judge, trained

__all__ = ["trained"]
GENOMES = [(i,) for i in range(12)]


def made():
    return prefilter.Prefilter(lambda genome: float(genome[0]), draws=3, rng=stream(1, "x"))


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
    found = made()
    assert not found.acts and found.prefer([(1,), (5,), (3,)], 0, []) == 0
    found.prove(GENOMES, scores)
    assert found.acts == acts
    assert found.prefer([(1,), (5,), (3,)], 0, []) == (1 if acts else 0)


def test_of_equals_the_first_is_preferred():
    found = made()
    found.prove(GENOMES, [i / 20 for i in range(12)])
    assert found.prefer([(1,), (5,), (5,)], 0, []) == 1


def test_each_fold_has_its_own_and_asks_the_proxy_once_for_a_genome(tmp_path, trained, monkeypatch):
    asked, said = [], fitness.proxies
    monkeypatch.setattr(fitness, "proxies", lambda task, names: asked.append((task.fold, names)) or said(task, names))  # fmt: skip
    tasks = judge(tmp_path).folds
    filters = prefilter.make(Settings(proxy="macs", draws=4), SPACE, tasks, seed=1)
    assert [one.draws for one in filters] == [4, 4]
    genomes = [next(iter(SPACE.all())), *list(SPACE.all())[-12:]]
    widths = [SPACE.architecture(genome)["stages"][-1]["width"] for genome in genomes]
    for one in filters:
        one.prove(genomes, widths)
        one.prove(genomes, widths)
    assert asked == [(fold, ("macs",)) for fold in (0, 1) for _ in genomes]
    artifacts.canonical_json([one.tau.value for one in filters])


def test_none_is_made_where_none_is_wanted_and_an_unknown_proxy_is_told(tmp_path):
    tasks = judge(tmp_path).folds
    assert prefilter.make(None, SPACE, tasks, seed=1) == []
    with pytest.raises(ValueError, match="unknown search/proxies 'luck': known are"):
        prefilter.make(Settings(proxy="luck", draws=2), SPACE, tasks, seed=1)
