"""Join a sharded training that another process has begun: see `cxr.training.sharded`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cxr import numerics


def main(arguments: Sequence[str] | None = None) -> int:
    """Work for the training at an address until it is done; return 1 if it can't be."""
    from cxr.training import sharded

    parser = argparse.ArgumentParser(prog="python -m cxr.training.sharded", description=sharded.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("address", help="where the training listens, like tcp://10.0.0.1:29400")
    parser.add_argument("--secret-file", type=Path, required=True, help="the secret that the training has; -: read it from stdin")  # fmt: skip
    parser.add_argument("--workers", type=int, default=1, help="processes (default: %(default)s)")
    words = parser.parse_args(arguments)
    from cxr.training.sharded import parallel, worker  # they take seconds, a wrong word none

    try:
        place = worker.address(words.address)
        stdin = words.secret_file == Path("-")
        secret = sys.stdin.buffer.read() if stdin else parallel.secret(words.secret_file)
        if words.workers > 1:
            return _several(words.address, secret, words.workers)
        worker.work(*place, secret)
    except (ValueError, OSError) as error:
        print(f"worker: error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def command(address: str) -> list[str]:
    """Return the command of one worker, which reads the secret from its stdin."""
    return [sys.executable, "-m", "cxr.training.sharded", address, "--secret-file", "-"]


def _several(address: str, secret: bytes, processes: int) -> int:
    """Start so many workers and wait for all; return 1 if any failed."""
    started = [subprocess.Popen(command(address), stdin=subprocess.PIPE) for _ in range(processes)]
    for one in started:
        assert one.stdin is not None
        one.stdin.write(secret)
        one.stdin.close()
    codes = [one.wait() for one in started]
    return int(any(codes))


if __name__ == "__main__":
    numerics.enter()
    sys.exit(main())
