"""Words for people go to stderr and never change what is iterated."""

from __future__ import annotations

import io
import sys

import pytest

from cxr import progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_items_come_through_in_order_and_short_work_is_silent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert list(progress.track(iter("abc"), total=3, words="reading")) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_long_work_tells_how_much_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    assert list(progress.track(range(5), total=5, words="reading")) == list(range(5))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "  reading: 2 of 5, about 30 s left",
        "  reading: 4 of 5, about 10 s left",
    ]


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(progress.track(range(3), total=3, words="reading")) == [0, 1, 2]
    assert "reading" in terminal.getvalue()


def test_say_prints_one_line_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    progress.say("320 patients")
    assert capsys.readouterr() == ("", "  320 patients\n")


def test_the_pace_counts_what_was_done_and_forgets_what_was_not(monkeypatch):
    clock = iter([0.0, 10.0, 20.0, 100.0, 130.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    pace = progress.Pace()
    assert pace.seconds(5) is None
    with pace.measure() as done:
        done(4)
    with pace.measure() as done:  # from 20: replayed, not worked
        done(0)
    with pace.measure() as done:
        done(4)
    assert pace.seconds(16) == 80.0  # 40 s for 8
