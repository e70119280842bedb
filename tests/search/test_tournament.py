"""A whole search in made-up numbers: its tables fit together, and its metrics are their means by hand."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
import torch

from cxr.evolution.hypervolume import covered
from cxr.search import correlations, fitness, tournament
from cxr.search.settings import Finalists, Prefilter
from tests.search.made_up import SPACE, judge, trained
from tests.search.settings import terms

__all__ = ["trained"]
RUNGS = [{"networks": 4, "samples": 16}, {"networks": 2, "samples": 32}]
CAP = 2_000_000
CHOOSER = ["acted", "high", "low", "networks", "tau"]


@pytest.fixture
def hold(tmp_path, trained, monkeypatch):
    """Return a function that holds a tournament on records of its own."""

    def tensors(task):
        return {"x": torch.zeros(1)}, trained.evaluate(task)

    monkeypatch.setattr(fitness, "tensors", tensors)

    def run(*, prefilter=None, **changes):
        one = judge(tmp_path)
        field = tournament.draw_up(
            SPACE, one.folds, terms(**{"rungs": RUNGS, **changes}),
            baselines=["largest", "resnet10t"], prefilter=prefilter, seed=1,
        )  # fmt: skip
        settings = Finalists(networks=2, seeds=2, samples=64)
        return tournament.hold(field, one, settings, max_macs=CAP, run="toy", seed=1)

    return run


def test_tables_fit_together(hold, tmp_path):
    found = hold()
    tried, finals = found.candidates, found.finalists
    assert len(tried) == 2 * 2 * 2 * (4 + 2)
    assert list(found.picks) == list(found.tensors) == [
        (0, "evolved"), (0, "random"), (1, "evolved"), (1, "random"),
    ]  # fmt: skip
    picked = tried[tried["picked"] == 1]
    assert (picked["rung"] == 1).all()
    pairs = zip(picked["fold"], picked["method"], picked["architecture"], strict=True)
    assert {(fold, method): network for fold, method, network in pairs} == found.picks
    assert len(finals) == 2 * (2 * 2 + 2) * 2
    assert set(finals["method"]) == {"evolved", "random", "largest", "resnet10t"}
    largest = set(finals.loc[finals["method"] == "largest", "network"])
    assert largest == {SPACE.identity(SPACE.largest(1, "search"))}
    assert list(found.correlations["measure"][:2]) == ["rung_0", correlations.names()[0]]
    assert list(tmp_path.glob("tensors-*")) and list(tmp_path.glob("*.json"))


def test_metrics_are_means_over_seeds_and_folds(hold):
    found = hold()
    metrics, finals = found.metrics, found.finalists
    assert (metrics["networks"], metrics["samples"]) == (8, 2 * (4 * 16 + 2 * 32))
    assert metrics["methods"] == ["evolved", "random"] and metrics["score"] == "auroc"
    assert metrics["baselines"] == ["largest", "resnet10t"]
    for fold, each in enumerate(metrics["folds"]):
        for method, said in each.items():
            rows = finals[(finals["fold"] == fold) & (finals["method"] == method) & (finals["picked"] == 1)]  # fmt: skip
            assert len(rows) == 2
            assert said["auroc"] == pytest.approx(rows["search_val_auroc"].mean())
            assert said["macs"] == rows["macs"].iloc[0]
            assert (said["val_auroc"] is None) == (fold == 1)
    for name in ("evolved", "random", "largest", "resnet10t"):
        values = [each[name]["auroc"] for each in metrics["folds"]]
        assert metrics[f"{name}_auroc"] == pytest.approx(statistics.fmean(values))
        assert metrics[f"{name}_val_auroc"] == metrics["folds"][0][name]["val_auroc"]
    top = found.candidates[(found.candidates["fold"] == 0) & (found.candidates["rung"] == 1)]
    top = top[top["method"] == "evolved"]
    area = covered(top["auroc"], top["macs"], max_macs=CAP)
    assert metrics["folds"][0]["evolved"]["hypervolume"] == area
    assert [sorted(said) for said in metrics["choosers"]] == [CHOOSER] * 2
    assert {(x["acted"], x["networks"]) for x in metrics["choosers"]} == {
        (True, 4)
    }  # generation 1's
    assert metrics["correlations"]["rung_0"]["networks"] >= 4


def test_a_pre_filter_says_whether_it_acted(hold):
    rungs = [{"networks": 10, "samples": 16}, {"networks": 3, "samples": 32}]
    metrics = hold(rungs=rungs, guide=1, prefilter=Prefilter(proxy="macs", draws=3)).metrics
    found = metrics["choosers"]
    assert len(found) == 2
    for said in found:
        assert sorted(said) == CHOOSER
        assert said["acted"] == (said["low"] > 0) and said["networks"] == 10


def test_one_method_alone_and_the_same_again(hold):
    first = hold(methods=["random"])
    again = hold(methods=["random"])
    assert first.metrics == again.metrics and "evolved_auroc" not in first.metrics
    assert first.candidates.equals(again.candidates)
    assert np.array_equal(first.finalists["picked"], again.finalists["picked"])
