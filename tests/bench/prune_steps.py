"""A step of `make bench-prune` in a project folder: a program of its own, ended when the sitting is.

A step that was ended goes on where it was: stages keep records of what they finished.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LAST_WORDS_S = 10.0


class Over(Exception):
    """The sitting's time is used up; what was finished is on record."""


def run(project: Path, words: Sequence[str], made: str, *, deadline: float) -> None:
    """Run `python -m <words>` in `project` unless `made`, which it writes last, is there.

    Raises Over when time.monotonic() reaches the deadline, and ValueError if the program fails; what
    it says goes where this program's own words go.
    """
    if (project / made).exists():
        return
    left = deadline - time.monotonic()
    if left <= 0:
        raise Over
    # a pool that is ended with its program leaves things for its tracker to clean up, which it tells
    quiet = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore:resource_tracker"}
    environment = {**os.environ, **quiet}
    process = subprocess.Popen(
        [sys.executable, "-m", *words], cwd=project, env=environment, start_new_session=True
    )
    try:
        code = process.wait(timeout=left)
    except subprocess.TimeoutExpired:
        raise Over from None
    finally:
        end(process)
    if code or not (project / made).exists():
        raise ValueError(
            f"`{' '.join(words)}` failed in {project} (exit {code}): see its words above"
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program that leads its own session, with all that it started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_LAST_WORDS_S)
            if sign is signal.SIGTERM:
                time.sleep(0.1)  # its workers, if it has any, get the signal too
