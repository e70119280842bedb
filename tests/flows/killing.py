"""Kills of a toy's retraining at random points, and what must hold after each of them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil

from cxr import seeding
from tests.flows import arriving

_GOOD, _BAD = 12, 2


def check(clone: Path, *, kills: int, each: bool, seed: int = 0) -> None:
    """Kill retrainings of ever new arrivals so often, let the next run finish, and look at what is there.

    With `each`, every kill is followed by a run that must finish; else kill follows kill and the last
    is followed by such a run. A kill hits the whole program, or one of the processes that it runs.
    """
    before, rng = arriving.state(clone), seeding.stream(seed, "kills")
    sent = [row[0] for row in arriving.lines(clone)]
    start = time.monotonic()
    sent.append(_send(clone, len(sent)))
    finish(clone)
    whole_s = time.monotonic() - start
    hits = 0
    while hits < kills:
        if not list((clone.parent / "inbox").iterdir()):
            sent.append(_send(clone, len(sent)))
        program, after_s = arriving.start(clone), whole_s * rng.random()
        hits += _kill(program, after_s=after_s, one=rng.random() < 0.4, at=rng.random())
        arriving.check_tags_have_data(clone)
        assert arriving.state(clone) == before, hits
        if each:
            finish(clone)
            assert list((clone.parent / "inbox").iterdir()) == [], hits
    finish(clone)
    found = arriving.lines(clone)
    assert [name for name, _, _ in found] == sent
    for name, outcome, _ in found:
        assert outcome == ("quarantined" if name.startswith("noise") else "promoted"), name
    assert list((clone.parent / "inbox").iterdir()) == []
    assert [path.name for path in (clone / ".worktrees").iterdir()] == ["retrain.lock"]
    assert arriving.state(clone) == before
    arriving.check_tags_have_data(clone)


def finish(clone: Path) -> None:
    """Let a retraining run to its end."""
    program = arriving.start(clone)
    words, _ = program.communicate()
    assert program.returncode == 0, words[-3000:]


def _send(clone: Path, number: int) -> str:
    """Put the next arrival into the inbox, every third of them unfit; return its name."""
    if number % 3 == 2:
        arriving.arrive(clone, f"noise{number}", [f"no number {number}"] * _BAD)
        return f"noise{number}"
    arriving.arrive(clone, f"good{number}", [30 * number + place for place in range(_GOOD)])
    return f"good{number}"


def _kill(program: subprocess.Popen[str], *, after_s: float, one: bool, at: float) -> bool:
    """Kill a program with its group after a while, or `one` of the processes below it, the one at a share.

    Returns whether it was still at work.
    """
    with program, contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
        time.sleep(after_s)
        if program.poll() is not None:
            return False
        below = psutil.Process(program.pid).children(recursive=True)
        if one and below:
            below[int(at * len(below))].kill()
            program.communicate()  # it fails, or does not need what was killed
        else:
            os.killpg(program.pid, signal.SIGKILL)
        return True
    return False
