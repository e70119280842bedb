"""serve: server, workers and deployments of Prefect on this machine, until Ctrl-C.

    make serve [PORT=4200] [WORKERS=1]

What the server knows stands in `.serve/`, which only its owner can read: an SQLite file, or the address
of a PostgreSQL (flows/database.py), credentials made on first start, the log of notices. It listens on
loopback and answers nobody without the credentials. `PREFECT_HOME=$PWD/.serve prefect …` speaks to it. A chat's webhook in `.serve/webhook`, or
in CXREPRO_WEBHOOK, gets the notices as well. A server that ends unasked is started again, while the
workers (flows/worker.py, here or on other machines) go on; when we end, by whatever death, everything
that we started ends.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from flows import command, database, files, leash, notices, pipeline, processes, server

FOLDER = Path(".serve")
CREDENTIALS = "credentials"
ADDRESS = "address"
WEBHOOK = "webhook"
NOTICES = "notices.log"
PORT = 4200
POOL = server.POOL
HEARTBEAT_S = 30
"""How often a run says that it lives; Prefect allows no less."""
SHORT_S = 60.0
"""What ends sooner than that won't be there by being started again."""
_LOOK_S = 0.2
_WORKER = [sys.executable, "-m", "flows.worker"]
# What people may say by PREFECT_…; everything else is ours, or belongs to another server.
_THEIRS = ("PREFECT_SERVER_SERVICES_", "PREFECT_LOGGING_")


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m flows.serve", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--port", type=int, help=f"{PORT}, or a free one, without it")
    parser.add_argument("--workers", type=int, default=1, metavar="N",
                        help="1 without it; 0 leaves the work to flows.worker, started elsewhere")  # fmt: skip
    asked = parser.parse_args()
    if asked.workers < 0:
        parser.error(f"--workers must be 0 or more, not {asked.workers}")
    with command.telling(interrupted="all has ended; what the server knows is kept"):
        serve(asked.port, asked.workers)


def serve(asked_port: int | None, workers: int = 1, *, root: Path = pipeline.HERE) -> None:
    """Start everything, and the server again when it ends; raise Failed when that does not help."""
    folder = (root / FOLDER).resolve()
    with (
        only_one(folder),
        notices.receiver(folder / NOTICES) as log,
        contextlib.ExitStack() as at_work,
    ):
        kept = database.address(folder)
        env = environment(folder, port=free_port(asked_port, folder), credentials=known(folder))
        files.write(folder / ADDRESS, env["PREFECT_API_URL"])
        profile(folder, env)
        print(f"database: {database.shown(kept)}", flush=True)
        addresses = [log, *webhook(folder)]
        crew: list[subprocess.Popen[str]] = []
        while True:
            began = time.monotonic()
            with child(server.words(env), {**env, **database.environment(kept)}, root) as running:
                try:
                    if server.wait_for(lambda: server.health(env), running):
                        deploy(env, addresses, root)
                        new = workers - len(crew)  # a server that came back finds them at work
                        crew += [
                            at_work.enter_context(child(_WORKER, env, root)) for _ in range(new)
                        ]
                        if called(running, crew, env, new):
                            page = env["PREFECT_API_URL"].removesuffix("/api")
                            print(
                                f"ready after {time.monotonic() - began:.0f} s: {page}", flush=True
                            )
                        watch(running, crew)
                except BaseException:
                    at_work.close()  # while there is still a server that they can tell of it
                    raise
            if time.monotonic() - began < SHORT_S:
                raise pipeline.Failed("the server ended soon after its start: its words are above")
            print("the server has ended unasked: starting it again", flush=True)


def called(
    running: subprocess.Popen[str],
    crew: Sequence[subprocess.Popen[str]],
    env: Mapping[str, str],
    number: int,
) -> bool:
    """Wait until so many workers have called the server; tell whether they did, and none ended instead."""
    since = datetime.datetime.now(datetime.UTC)
    return server.wait_for(lambda: server.online(env, since, number), running, *crew)


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Make the state folder and hold its lock; raise Failed when another one serves from it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            place = folder / ADDRESS
            where = place.read_text(encoding="utf-8") if place.exists() else "its start"
            raise pipeline.Failed(
                f"one is running already, at {where.removesuffix('/api')}: use it"
            ) from None
        yield


def known(folder: Path) -> str:
    """Return the credentials `user:password`, made on first start in a file that only we can read."""
    path = folder / CREDENTIALS
    if not path.exists():
        _private(path, f"cxrepro:{secrets.token_urlsafe(24)}")
        print(f"credentials made: {FOLDER / CREDENTIALS}; the page asks for that line", flush=True)
    return path.read_text(encoding="utf-8").strip()


def _private(path: Path, text: str) -> None:
    """Write a text to a file that nobody else may read at any time."""
    with files.replacing(path) as partial:
        partial.touch(mode=0o600)
        partial.write_text(text, encoding="utf-8")


def free_port(asked: int | None, folder: Path) -> int:
    """Return the port asked for, or the last one, the usual one or any that is free."""
    place = folder / ADDRESS
    last = [port(folder)] if place.exists() else []
    for tried_port in [asked] if asked is not None else [*last, PORT, 0]:
        with socket.socket() as tried, contextlib.suppress(OSError):
            # as the server will: a connection that has just ended is no hindrance
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("127.0.0.1", tried_port))
            return int(tried.getsockname()[1])
    raise ValueError(f"port {asked} is taken: ask for another one, or for none to get a free one")


def port(folder: Path) -> int:
    """Return the port of the server that the state folder names."""
    address = (folder / ADDRESS).read_text(encoding="utf-8").strip()
    return int(address.removesuffix("/api").rpartition(":")[2])


def environment(folder: Path, *, port: int, credentials: str) -> dict[str, str]:
    """Return the environment of server and workers: ours, and of people's what `_THEIRS` allows."""
    page = f"http://127.0.0.1:{port}"
    kept = {
        name: value
        for name, value in pipeline.environment().items()
        if not name.startswith("PREFECT_") or name.startswith(_THEIRS)
    }
    return {
        # a busy machine is late by a minute now and then
        "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "300",
        **kept,
        "DO_NOT_TRACK": "1",
        "PREFECT_HOME": str(folder),
        "PREFECT_API_URL": f"{page}/api",
        "PREFECT_API_AUTH_STRING": credentials,
        "PREFECT_SERVER_API_AUTH_STRING": credentials,
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"{page},http://localhost:{port}",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # in memory, a slot that was held when the server ended would stay held
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        # What happens to a run right after a restart waits a quarter of an hour for the event before
        # it, which the new server has not seen; in memory, another restart would lose it.
        "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect.server.events.ordering.db",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S),
        "PREFECT_WORKER_QUERY_SECONDS": "5",
        # waits of 2, 4, 8 … s between them: a run outlasts four minutes without its server
        "PREFECT_CLIENT_MAX_RETRIES": "7",
        # so answers a server whose database is being restarted; a run that meets it then would be lost
        "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500",
        "PREFECT_CLI_PROMPT": "false",
    }


def profile(folder: Path, env: Mapping[str, str]) -> None:
    """Let Prefect's own command, with our folder as its home, find the server and be let in."""
    names = ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING")
    lines = [f"{name} = {json.dumps(env[name])}" for name in names]  # of TOML, the same
    text = "\n".join(['active = "cxrepro"', "[profiles.cxrepro]", *lines, ""])
    _private(folder / "profiles.toml", text)


def webhook(folder: Path) -> list[str]:
    """Return the address that notices go to as well, if there is one; raise ValueError if it is none."""
    path = folder / WEBHOOK
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = os.environ.get("CXREPRO_WEBHOOK", text).strip()
    if found and not found.startswith(("http://", "https://")):
        raise ValueError(f"{FOLDER / WEBHOOK} (or CXREPRO_WEBHOOK) must be one http(s) address")
    return [found] if found else []


def watch(running: subprocess.Popen[str], crew: Sequence[subprocess.Popen[str]]) -> None:
    """Return when the server has ended; raise Failed when a worker has, which starts itself again."""
    while running.poll() is None:
        if any(worker.poll() is not None for worker in crew):
            raise pipeline.Failed("a worker can't go on: its words are above")
        time.sleep(_LOOK_S)


def deploy(env: Mapping[str, str], addresses: Sequence[str], root: Path) -> None:
    """Let flows/deploy.py prepare the server; raise Failed with its words when it can't."""
    # not on the command line, which everybody on the machine can read: who knows them may post
    told([], {**env, "CXREPRO_NOTICES": "\n".join(addresses)}, root)


def told(words: Sequence[str], env: Mapping[str, str], root: Path) -> None:
    """Run flows/deploy.py and print what it says of runs and deployments; raise Failed with all its words."""
    with child([sys.executable, "-m", "flows.deploy", *words], env, root, piped=True) as process:
        said = process.stdout.read() if process.stdout else ""
        code = process.wait()
    if code:
        raise pipeline.Failed(f"{said}\nthe server could not be told what it can run")
    for line in said.splitlines():
        if line.startswith(("left behind: ", "paused: ")):
            print(line, flush=True)


@contextlib.contextmanager
def child(
    words: Sequence[str], env: Mapping[str, str], folder: Path, *, piped: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """Yield a program that is asked to end before it is killed, and whose group ends with it."""
    with processes.session(words, folder, env, piped=piped) as process:
        try:
            yield process
        finally:
            if process.stdin is not None:
                process.stdin.close()  # the leash asks first, which the end of a session does not
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2 * leash.SECONDS_TO_END)
            # a worker that was killed leaves its runs behind, in its group
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
