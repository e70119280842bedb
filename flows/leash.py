"""leash: a program that runs another one and ends it, with all that it started, when its holder is gone.

    python flows/leash.py <program> <words …>

The holder keeps a pipe to our standard input and never writes to it: that it ends tells that the
holder did, by whatever death, `kill -9` included. Without this, DVC and its stage would work on
unseen, and the next run would wait for the outputs that they hold. Started in a session of its own;
knows nothing of the project, since it serves checkouts of other commits too.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time

SECONDS_TO_END = 10.0
_LOOK_S = 0.05


def main() -> int:
    """Run the program on the command line; return its exit code, 128 + n where signal n ended it."""
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    watched = select.poll()
    watched.register(sys.stdin.fileno(), select.POLLIN)
    child = os.pidfd_open(process.pid)
    watched.register(child, select.POLLIN)
    watched.poll()
    if process.poll() is None:
        _end_all(process)
    code = process.wait()
    return code if code >= 0 else 128 - code


def _end_all(process: subprocess.Popen[bytes]) -> None:
    """Ask the whole group to end, then end it: this program with it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + SECONDS_TO_END
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
