"""Tests of cxr.datasets._gaps: what tables and files don't have in common."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from cxr.datasets import _gaps

MEMBERS = ["a.png", "b.png", "mask.png", "ct.png", "notes.txt", "more.zip/inner.zip", "old.rar"]


def test_rows_and_files_that_miss_each_other():
    listed = pd.DataFrame({"image": ["a.png", "z.png", "y.png"]})
    listed.attrs["aside"] = ["ct.png"]
    reader = SimpleNamespace(aside=lambda member: member.startswith("mask"))
    absent, unlisted = _gaps.between(listed, MEMBERS, reader)
    assert absent == ["y.png", "z.png"]
    assert unlisted == ["b.png", "more.zip/inner.zip", "old.rar"]
    assert _gaps.between(listed, MEMBERS, SimpleNamespace())[1][-2:] == [
        "more.zip/inner.zip",
        "old.rar",
    ]
