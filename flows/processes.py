"""processes: programs that end when we do, they and all that they started.

Each runs in a session of its own, on a leash: SIGTERM to DVC alone would leave its stage running.
Several threads may run programs at once; `together` ends all of them when one thing goes wrong.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from flows import leash

_guard = threading.Lock()
_running: set[subprocess.Popen[str]] = set()
_ended_by: set[int] = set()
"""The thread whose block of `together` did not end well, until the next one begins."""


@contextlib.contextmanager
def session(
    command: Sequence[str], folder: Path, env: Mapping[str, str], *, piped: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """Yield a running program; whatever ends this block ends the program and all that it started.

    With `piped`, its words, errors among them, come out of `stdout`. Raises KeyboardInterrupt once
    `together` has ended what is running: in other threads than its own nothing new begins then.
    """
    with _guard:
        if _ended_by - {threading.get_ident()}:
            raise KeyboardInterrupt
        process = subprocess.Popen(
            [sys.executable, leash.__file__, *command],
            cwd=folder,
            env=env,
            text=True,
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if piped else None,
            stderr=subprocess.STDOUT if piped else None,
        )
        _running.add(process)
    try:
        yield process
    finally:
        if process.poll() is None:
            _end(process)
        _running.discard(process)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


@contextlib.contextmanager
def together() -> Iterator[None]:
    """End every program of every thread when this block does not end well, and let other threads begin none then."""
    with _guard:
        _ended_by.clear()
    try:
        yield
    except BaseException:
        with _guard:
            _ended_by.add(threading.get_ident())
        for process in list(_running):
            _end(process)
        raise


def _end(process: subprocess.Popen[str]) -> None:
    """End a program's whole session: politely, then not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(leash.SECONDS_TO_END)
            # the leash has ended; what it held may take longer, so the second round follows


def terminate_as_interrupt() -> None:
    """Let SIGTERM end this process as Ctrl-C does, so that what it runs ends with it."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
