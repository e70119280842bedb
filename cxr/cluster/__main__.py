"""Start a scheduler or workers of a cluster, with every pin: see `cxr.cluster`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from cxr import cluster, numerics, scratch


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Become a scheduler or the nanny of workers, with every pin, in the project's folder."""
    parser = argparse.ArgumentParser(prog="python -m cxr.cluster", description=cluster.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    roles = parser.add_subparsers(dest="role", required=True)
    scheduler = roles.add_parser("scheduler", help="hands out the work")
    scheduler.add_argument("--host", default="127.0.0.1", help="where to listen (default: %(default)s, this machine alone)")  # fmt: skip
    scheduler.add_argument("--port", type=int, default=8786)
    worker = roles.add_parser("worker", help="processes that work")
    worker.add_argument("address", help="of the scheduler, like tcp://127.0.0.1:8786")
    worker.add_argument("--workers", type=int, help="processes (default: one per core)")
    words = parser.parse_args(arguments)
    if words.role == "scheduler":
        options = ["--host", words.host, "--port", str(words.port)]
    else:
        options = _worker_options(words.address, words.workers)
    command = [sys.executable, "-m", f"distributed.cli.dask_{words.role}", *options]
    os.chdir(scratch.ROOT)
    os.execve(sys.executable, [*command, "--no-dashboard", "--dashboard-address", "127.0.0.1:0"], _environment())  # noqa: S606  # fmt: skip


def _worker_options(address: str, processes: int | None) -> list[str]:
    import joblib
    from distributed.utils import get_ip

    host = address.rpartition("://")[2].rpartition(":")[0]
    return [
        address, "--nworkers", str(processes or joblib.cpu_count()), "--nthreads", "1",
        "--host", get_ip(host), "--memory-limit", "0", "--death-timeout", "60",
    ]  # fmt: skip


def _environment() -> dict[str, str]:
    """Return the environment of schedulers and nannies: the pins, and no web pages.

    A nanny sets its own variables before it starts a worker (threads, malloc, another hash seed),
    so it has to be told the pins.
    """
    return {
        **os.environ,
        **numerics.PINS,
        "DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON": repr(numerics.PINS),
        "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES": "[]",
        "DASK_DISTRIBUTED__WORKER__HTTP__ROUTES": "[]",
        "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    }


if __name__ == "__main__":
    main()
