"""Every file that a stage opens is declared in dvc.yaml; a stage that opens another one is told."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from tests.proof import alone, trace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not shutil.which("strace"), reason="NOT PROVED: no strace here (Debian: package strace)"
    ),
]


def test_every_stage_opens_what_it_declares(whole, tmp_path):
    table = trace.traced(whole, tmp_path / "opened.csv")
    assert table["stage"].tolist() == [entry.name for entry in alone.entries(whole)]
    assert trace.wrong(table) == []
    assert (table["read"].astype(int) > 5).all()
    assert int(table["by_hash"][table["stage"] == "preprocess"].iloc[0]) > 0


def test_a_file_that_is_not_declared_and_one_that_is_left_are_named(small, tmp_path, monkeypatch):
    split = next(x for x in alone.entries(small) if x.name == "split")
    honest = trace.trace(split, small, tmp_path / "honest")
    fewer = tuple(x for x in split.deps if x != "data/manifest.csv")
    without = alone.Entry(
        name=split.name, words=split.words, deps=fewer, outs=split.outs[1:], params=split.params
    )
    row = trace.row(without, honest, small)
    assert row["undeclared"] == "data/manifest.csv"
    assert split.outs[0] in str(row["written_elsewhere"])
    assert trace.wrong(pd.DataFrame([row, {**row, "undeclared": "", "written_elsewhere": ""}])) == [
        "split"
    ]


def test_a_line_of_the_same_lock_is_kept(small, tmp_path, monkeypatch):
    path = tmp_path / "opened.csv"
    first = trace.traced(small, path, ["merge"])
    assert first["stage"].tolist() == ["merge"] and trace.wrong(first) == []
    monkeypatch.setattr(trace, "trace", lambda *_: pytest.fail("it was there"))
    again = trace.traced(small, path, ["merge"])
    assert trace.wrong(again) == [] and again["stage"].tolist() == ["merge"]
