"""A program on a leash ends with whoever holds it, by whatever death, and all that it started with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows import leash

STUBBORN = """\
import os, pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN if sys.argv[2] == "stubborn" else signal.SIG_DFL)
folder = pathlib.Path(sys.argv[1])
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
(folder / "partial").write_text(f"{os.getpid()} {child.pid}")
(folder / "partial").rename(folder / "pids")
time.sleep(300)
"""
HOLDER = """\
import subprocess, sys, time
subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=subprocess.PIPE, start_new_session=True)
time.sleep(300)
"""


def alive(process: int) -> bool:
    """Tell whether a process is there and not only waiting to be forgotten."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def await_end(processes: list[int]) -> None:
    deadline = time.monotonic() + leash.SECONDS_TO_END + 30
    while any(map(alive, processes)):
        assert time.monotonic() < deadline, f"{processes} live on"
        time.sleep(0.05)


@pytest.mark.parametrize(
    "manner", ["mild", pytest.param("stubborn", marks=pytest.mark.slow)]
)  # the stubborn one is given its ten seconds
def test_the_holders_death_ends_everything(tmp_path: Path, manner: str) -> None:
    program = [sys.executable, "-c", STUBBORN, str(tmp_path), manner]
    command = [sys.executable, "-c", HOLDER, leash.__file__, *program]
    with subprocess.Popen(command, start_new_session=True) as holder:
        deadline = time.monotonic() + 60
        while not (tmp_path / "pids").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        started = [int(word) for word in (tmp_path / "pids").read_text().split()]
        assert all(map(alive, started))
        os.kill(holder.pid, signal.SIGKILL)
    await_end(started)


@pytest.mark.parametrize(
    ("words", "code"),
    [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 128 + 9), ("", 0)],
)
def test_the_programs_end_is_passed_on(words: str, code: int) -> None:
    command = [sys.executable, leash.__file__, sys.executable, "-c", words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
        assert process.wait(timeout=60) == code
