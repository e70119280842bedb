"""`python -m cxr.review` writes both pages, the same again from the same sides."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cxr.review import __main__ as command
from tests.review import cases


def test_both_pages_are_written_and_come_again(tmp_path: Path) -> None:
    folder = cases.better(tmp_path / "one")
    words = command.write(folder, tmp_path / "first")
    assert "2 of 2 differences of test metrics are more than noise" in words
    command.write(folder, tmp_path / "second")
    for name in ("review.md", "review.html"):
        content = (tmp_path / "first" / name).read_bytes()
        assert content == (tmp_path / "second" / name).read_bytes()
        assert str(tmp_path).encode() not in content
    html = (tmp_path / "first/review.html").read_text()
    assert html.count("<img ") == 1  # no curve differs: the forest alone
    assert len(html) < 300_000


def test_a_damaged_report_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = cases.better(tmp_path)
    (folder / "head/reports/evaluate/small/metrics.json").write_text("{")
    monkeypatch.setattr(sys, "argv", ["review", str(folder), "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 1
    assert "head/reports/evaluate/small/metrics.json is not valid JSON" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
