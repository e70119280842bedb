"""Finalists: the best of the top rung and the baselines, each with every seed; the mean decides."""

from __future__ import annotations

import numpy as np
import pytest

from cxr import artifacts
from cxr.search import finalists, fitness
from cxr.search.settings import Finalists
from tests.search.made_up import SPACE, judge, score, trained
from tests.search.settings import terms
from tests.search.test_candidates import table

__all__ = ["trained"]
ALL = list(SPACE.all())
NARROW, WIDE = SPACE.identity(ALL[0]), SPACE.identity(ALL[-1])
WIDEST = SPACE.identity(SPACE.largest(1))
SETTINGS = Finalists(networks=2, seeds=3, samples=64)


def test_the_best_of_the_top_rung_go_on_by_score_then_macs_then_name():
    found = finalists.choose(table(), networks=3, score="auroc")
    assert found == {(0, "evolved"): ["n2", "n3", "n0"], (0, "random"): ["n1", "n4"]}
    one = finalists.choose(table(), networks=1, score="auroc")
    assert one == {(0, "evolved"): ["n2"], (0, "random"): ["n1"]}


def test_baselines_enter_in_every_fold():
    found = finalists.enter(
        {(0, "evolved"): ["a"]}, ["largest", "resnet18"], folds=2, largest=WIDEST
    )
    assert found == {
        (0, "evolved"): ["a"],
        (0, "largest"): [WIDEST], (0, "resnet18"): ["resnet18"],
        (1, "largest"): [WIDEST], (1, "resnet18"): ["resnet18"],
    }  # fmt: skip


def train(folder, name="auroc"):
    entered = {
        (0, "evolved"): [NARROW, WIDE], (0, "random"): [WIDE, NARROW],
        (1, "evolved"): [WIDE], (0, "resnet18"): ["resnet18"],
    }  # fmt: skip
    return finalists.train(entered, SETTINGS, judge(folder), score=name)


def test_each_is_trained_with_every_seed_and_once_though_both_methods_chose_it(tmp_path, trained):
    found = train(tmp_path)
    assert list(found.columns) == finalists.COLUMNS
    assert list(found["seed"]) == [0, 1, 2] * 6
    assert len(trained) == len(set(trained)) == 3 * 4
    assert {samples for _, _, samples, _ in trained} == {64}
    for _, row in found.iterrows():
        said = score(row["fold"], row["network"], 64, f"finalist {row['seed']}")
        assert row["search_val_auroc"] == said
        assert (np.isnan(row["val_auroc"])) == (row["fold"] == 1)
    assert found["val_auroc"].dtype == float


def test_the_pick_has_the_highest_mean_over_seeds(tmp_path, trained):
    found = train(tmp_path)
    means = found.groupby(["fold", "method", "network"])["search_val_auroc"].mean()
    picks = finalists.picks(found, score="auroc")
    assert picks[0, "evolved"] == picks[0, "random"] == means[0, "evolved"].idxmax()
    assert picks[0, "resnet18"] == "resnet18" and picks[1, "evolved"] == WIDE
    for _, row in found.iterrows():
        assert row["picked"] == (picks[row["fold"], row["method"]] == row["network"])


def test_equal_means_are_told_apart_by_macs_then_by_name(tmp_path, trained):
    found = train(tmp_path).assign(search_val_auroc=0.7)
    cheaper = found.groupby("network")["macs"].first()[[NARROW, WIDE]].idxmin()
    assert finalists.picks(found, score="auroc")[0, "evolved"] == cheaper
    found = found.assign(macs=5)
    assert finalists.picks(found, score="auroc")[0, "random"] == min(NARROW, WIDE)


def test_accuracy_decides_where_it_is_the_score(tmp_path, trained):
    found = train(tmp_path, "accuracy")
    other = found.assign(search_val_auroc=found["network"] == NARROW)
    assert finalists.picks(other, score="accuracy") == finalists.picks(found, score="accuracy")


def test_images_of_finalists_are_counted(tmp_path):
    # 2 methods x 2 networks and 1 baseline with 3 seeds, and both picks once more
    assert finalists.samples(SETTINGS, terms(), 1) == (5 * 3 + 2) * 64


def test_weights_are_those_of_the_first_seed_and_must_repeat_its_score(
    tmp_path, trained, monkeypatch
):
    one, changed, asked = judge(tmp_path), {}, []

    def tensors(task):
        asked.append((task.fold, task.samples, task.draws))
        return {"x": np.array(task.fold)}, {**trained.evaluate(task), **changed}

    kept = {}
    monkeypatch.setattr(fitness, "tensors", tensors)
    monkeypatch.setattr(
        artifacts, "write_tensors", lambda path, made, found: kept.update({path: (made, found)})
    )
    monkeypatch.setattr("cxr.scratch.read_tensors", kept.get)
    picks = {(0, "evolved"): WIDE, (0, "random"): WIDE, (1, "evolved"): NARROW}
    found = finalists.weights(picks, SETTINGS, one, run="toy")
    assert {which: int(made["x"]) for which, made in found.items()} == {which: which[0] for which in picks}  # fmt: skip
    assert asked == [(0, 64, "finalist 0"), (1, 64, "finalist 0")]
    kept.clear()
    changed["loss"] = 0.123
    with pytest.raises(ValueError, match=r"of fold 0, trained once more, .* run `make doctor`"):
        finalists.weights(picks, SETTINGS, one, run="toy")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["largest", "largest"], "baselines names one twice: largest, largest"),
        (["resnet18ish"], "unknown backbone 'resnet18ish': timm has no such network"),
    ],
)
def test_a_faulty_baseline_is_told(names, message):
    finalists.check(["largest", "resnet10t"])
    with pytest.raises(ValueError, match=message):
        finalists.check(names)
