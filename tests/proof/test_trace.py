"""Every file that a stage opens is declared in dvc.yaml; a stage that opens another one is told."""

from __future__ import annotations

import shutil

import pytest

from tests.proof import alone, trace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not shutil.which("strace"), reason="NOT PROVED: no strace here (Debian: package strace)"
    ),
]


def test_every_stage_opens_what_it_declares(whole):
    rows = trace.traced(whole, [])
    assert len(rows) == len(alone.entries(whole))
    assert [x for x in rows if x["undeclared"] or x["written_elsewhere"]] == []
    assert all(int(x["read"]) > 5 for x in rows)
    assert any(x["by_hash"] for x in rows if x["stage"] == "preprocess")


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
