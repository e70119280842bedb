"""Each network is trained once for as many images and the same draws; the rest is on record."""

from __future__ import annotations

import pytest
import torch

from cxr.search import fitness
from cxr.search.judging import Asking
from tests.search.made_up import SPACE, judge, score, trained

__all__ = ["trained"]
NETWORKS = [SPACE.identity(genome) for genome in list(SPACE.all())[:300:100]]


def test_results_come_in_the_order_asked_and_nothing_is_trained_twice(tmp_path, trained):
    one = judge(tmp_path)
    asked = [Asking(fold, network, 16, "x") for network in NETWORKS for fold in (1, 0)]
    found = one.train([*asked, asked[0]])
    assert [x["auroc"] for x in found] == [score(*which) for which in [*asked, asked[0]]]
    assert sorted(trained) == sorted(asked)
    assert judge(tmp_path).train(asked) == found[:-1]
    assert len(trained) == len(asked)


def test_the_longest_trainings_begin_first(tmp_path, trained):
    asked = [Asking(0, network, 16, "x") for network in NETWORKS]
    many = Asking(0, NETWORKS[0], 16_000, "x")
    found = judge(tmp_path).train([*asked, many, Asking(0, "resnet18", 8, "x")])
    assert trained[:2] == [(0, "resnet18", 8, "x"), many]
    macs = dict(zip(NETWORKS, [x["macs"] for x in found], strict=False))
    assert [network for _, network, _, _ in trained[2:]] == sorted(macs, key=lambda x: -macs[x])


@pytest.mark.parametrize(
    "change", [{"fold": 1}, {"network": "resnet18"}, {"samples": 17}, {"draws": "y"}, {}]
)
def test_other_samples_draws_or_questions_are_other_trainings(tmp_path, trained, change):
    one, asked = judge(tmp_path), Asking(0, NETWORKS[0], 16, "x")
    one.train([asked])
    one.train([asked._replace(**change)], finalists=not change)
    assert len(trained) == 2


def test_time_left_is_guessed_from_what_was_trained_and_not_from_what_was_on_record(
    tmp_path, trained
):
    one, asked = judge(tmp_path), Asking(0, NETWORKS[0], 16, "x")
    assert one.seconds(100) is None
    one.train([asked])
    assert one.seconds(160) == pytest.approx(10 * one.seconds(16)) and one.seconds(160) > 0
    again = judge(tmp_path)
    again.train([asked])
    assert again.seconds(160) is None


def test_proxies_are_asked_once_for_each_network(tmp_path, trained, monkeypatch):
    which, seen = [(0, NETWORKS[0]), (1, NETWORKS[0])], []
    said = fitness.proxies
    monkeypatch.setattr(fitness, "proxies", lambda task, names: seen.append(task.fold) or said(task, names))  # fmt: skip
    found = judge(tmp_path).proxies(which, ["macs", "naswot"])
    assert found == judge(tmp_path).proxies(which, ["macs", "naswot"])
    assert list(found) == which and seen == [0, 1]
    assert list(found[which[0]]) == ["macs", "naswot"]


def test_tensors_are_kept_until_the_stage_is_done_and_a_damaged_file_is_made_again(
    tmp_path, trained, monkeypatch
):
    made = []

    def tensors(task):
        made.append(task.fold)
        return {"x": torch.full((2,), float(task.fold))}, {"auroc": 0.5}

    monkeypatch.setattr(fitness, "tensors", tensors)
    one, asked = judge(tmp_path), [Asking(fold, NETWORKS[fold], 8, "x") for fold in (0, 1)]
    first = one.tensors(asked, run="toy")
    assert [tensors["x"].tolist() for tensors, _ in first] == [[0.0, 0.0], [1.0, 1.0]]
    assert [found for _, found in first] == [{"auroc": 0.5}] * 2
    for path in sorted(one.kept("toy").iterdir())[:1]:
        path.write_bytes(path.read_bytes()[:-3])
    again = judge(tmp_path).tensors(asked, run="toy")
    assert made[:2] == [0, 1] and len(made) == 3
    assert [tensors["x"].tolist() for tensors, _ in again] == [[0.0, 0.0], [1.0, 1.0]]
    assert one.kept("other") != one.kept("toy")
