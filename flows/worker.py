"""worker: takes runs off a queue of the server of `make serve`, on its machine or on another one, until Ctrl-C.

    python -m flows.worker [--queue gpu]

It reads the server's address and credentials in `.serve/`. On another machine, copy both files there,
into a checkout, and lead the port through ssh: the server listens on loopback alone.

    scp -p server:cxrepro/.serve/{address,credentials} .serve/
    ssh -N -L 4200:127.0.0.1:4200 server

A worker that has ended takes its runs along, and the next one of that name says so to the server; one
whose server is being restarted works on and asks again.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import itertools
import secrets
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from flows import command, pipeline, serve, server

QUEUES = {"cpu": ("cpu", "default"), "gpu": ("gpu",)}
"""What a worker of each kind takes; `default` is Prefect's, where runs stand that name none."""
NAMES = "workers"
_MACHINE = "machine"


def main() -> None:
    """Work until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m flows.worker", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--queue", choices=sorted(QUEUES), default="cpu", help="cpu without it")
    parser.add_argument("--at-once", type=int, metavar="N", help="runs at a time; any number without it")  # fmt: skip
    asked = parser.parse_args()
    with command.telling(interrupted="the worker and its runs have ended"):
        work(asked.queue, at_once=asked.at_once)


def work(queue: str, *, at_once: int | None = None, root: Path = pipeline.HERE) -> None:
    """Start Prefect's worker, and again whenever it ends; raise Failed when that does not help."""
    folder = (root / serve.FOLDER).resolve()
    env = environment(folder)
    with named(folder, queue) as name:
        while True:
            server.wait_for(lambda: server.health(env))
            end_left_behind(name, env, root)
            began = time.monotonic()
            with serve.child(words(name, queue, at_once), env, root) as process:
                process.wait()
            if time.monotonic() - began < serve.SHORT_S:
                raise pipeline.Failed("the worker ended soon after its start: its words are above")
            print(f"the worker has ended unasked: starting {name} again", flush=True)


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a worker; raise ValueError where the state folder names no server."""
    for name in (serve.ADDRESS, serve.CREDENTIALS):
        if not (folder / name).is_file():
            raise ValueError(
                f"{folder.name}/{name} is missing: start `make serve` here, or copy it from the "
                "server's machine (`python -m flows.worker --help` says how)"
            )
    known = (folder / serve.CREDENTIALS).read_text(encoding="utf-8").strip()
    return serve.environment(folder, port=serve.port(folder), credentials=known)


def words(name: str, queue: str, at_once: int | None) -> list[str]:
    """Return Prefect's command for a worker."""
    queues = [word for each in QUEUES[queue] for word in ("--work-queue", each)]
    limit = [] if at_once is None else ["--limit", str(at_once)]
    start = ["worker", "start", "--pool", server.POOL, "--type", "process", "--name", name]
    return [sys.executable, "-m", "prefect", *start, *queues, *limit]


@contextlib.contextmanager
def named(folder: Path, queue: str) -> Iterator[str]:
    """Yield a name that no other worker has while this lasts: the lowest free number of the queue's."""
    (folder / NAMES).mkdir(exist_ok=True)
    machine = f"{socket.gethostname()}.{_machine(folder)}"
    for number in itertools.count(1):
        name = f"{queue}-{number}.{machine}"
        with (folder / NAMES / name).open("w") as lock:
            if _locked(lock):
                yield name
                return


def _machine(folder: Path) -> str:
    """Return what tells this checkout's workers from those of another machine of that name."""
    with (folder / _MACHINE).open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # two may start at once
        file.seek(0)
        known = file.read() or secrets.token_hex(3)
        file.truncate(0)
        file.write(known)
    return known


def _locked(lock: IO[str]) -> bool:
    """Lock an open file until it is closed; tell whether that went, or another one holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def gone(folder: Path) -> Iterator[tuple[set[str], set[str]]]:
    """Yield the names of this checkout's workers that have ended, and of those at work.

    While this lasts nobody takes a name of the first kind, so that nothing of a new one is taken for old.
    """
    (folder / NAMES).mkdir(exist_ok=True)
    with contextlib.ExitStack() as held:
        paths = sorted((folder / NAMES).iterdir())
        ended = {path.name for path in paths if _locked(held.enter_context(path.open("w")))}
        yield ended, {path.name for path in paths} - ended


def end_left_behind(name: str, env: Mapping[str, str], root: Path) -> None:
    """Let flows/deploy.py end the runs of the worker that had this name before us."""
    serve.told(["--left-by", name], env, root)


if __name__ == "__main__":
    main()
