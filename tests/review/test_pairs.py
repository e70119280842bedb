"""Figures that differ are paired; what is no picture, or too much, is named instead of shown."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pandas as pd
import pytest

from cxr import artifacts, png
from cxr.report.elements import compact
from cxr.review import pairs
from tests.report import cases as report_cases


def sides(tmp_path: Path, **files: tuple[bytes | None, bytes | None]) -> pairs.Pairs:
    for name, contents in files.items():
        for side, content in zip(("base", "head"), contents, strict=True):
            if content is not None:
                path = tmp_path / side / "evaluate/small/plots" / f"{name}.png"
                artifacts.write_bytes(path, content)
    return pairs.figures(tmp_path / "base", tmp_path / "head")


def test_equal_figures_are_counted_and_others_paired(tmp_path: Path) -> None:
    one, other = report_cases.png(20), report_cases.png(24)
    found = sides(tmp_path, roc=(one, one), confusion=(one, other), new=(None, one))
    assert found.same == 1 and found.left_out == []
    assert [(pair.folder, pair.name, pair.before is None) for pair in found.shown] == [
        ("evaluate/small", "confusion", False),
        ("evaluate/small", "new", True),
    ]


def huge_header() -> bytes:
    """A PNG of a few bytes that claims 60,000 x 60,000 pixels."""
    parts = [png.SIGNATURE]
    for kind, data in ((b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)), (b"IDAT", b""), (b"IEND", b"")):  # fmt: skip
        parts.append(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))  # fmt: skip
    return b"".join(parts)


@pytest.mark.parametrize("content", [b"no picture", report_cases.png()[:-30], huge_header()])
def test_what_is_no_figure_is_named_and_not_decoded(tmp_path: Path, content: bytes) -> None:
    found = sides(tmp_path, roc=(report_cases.png(), content))
    assert found.shown == []
    assert found.left_out == ["evaluate/small/plots/roc.png"]


def test_figures_beyond_the_pages_size_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = report_cases.png(30), report_cases.png(32)
    monkeypatch.setattr(pairs, "_MOST_BYTES", len(compact(one)) + len(compact(other)))
    found = sides(tmp_path, a=(one, other), b=(one, other), c=(one, other))
    assert [pair.name for pair in found.shown] == ["a"]
    assert [Path(name).stem for name in found.left_out] == ["b", "c"]


def test_only_curves_that_both_have_and_that_differ_are_drawn(tmp_path: Path) -> None:
    for side, runs in (("base", {"same": 1, "moved": 1, "gone": 1}), ("head", {"same": 1, "moved": 2})):  # fmt: skip
        for run, value in runs.items():
            table = pd.DataFrame({"fold": [0], "epoch": [0], "val_loss": [value]})
            artifacts.write_csv(tmp_path / side / "finish" / run / "plots/history.csv", table)
    before, now = pairs.moved(*(pairs.histories(tmp_path / side) for side in ("base", "head")))
    assert list(before) == list(now) == ["finish/moved"]
    assert now["finish/moved"]["val_loss"].tolist() == [2]
