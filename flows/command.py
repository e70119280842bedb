"""How a command of flows/ ends when it can't go on: what is wrong, a line each, and an exit code that tells."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from flows import pipeline, processes

GO_ON = "what was finished is kept, run again to go on"
NOTHING_HALF = "nothing half is left, run it again"


@contextlib.contextmanager
def telling(*, interrupted: str) -> Iterator[None]:
    """Turn what a user can cure into lines on stderr and exit code 1, Ctrl-C and SIGTERM into 130.

    `interrupted` says what the work leaves behind.
    """
    processes.terminate_as_interrupt()
    try:
        yield
    except (ValueError, OSError, pipeline.Failed, pipeline.Locked) as error:
        print("\n".join(f"error: {line}" for line in str(error).splitlines()), file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"interrupted: {interrupted}", file=sys.stderr)
        sys.exit(130)
