"""serve: server, worker and deployments of Prefect on this machine, until Ctrl-C.

    make serve [PORT=4200]

What the server knows stands in `.serve/`, which only its owner can read: an SQLite file, credentials
made on first start, the log of notices. It listens on loopback and answers nobody without the
credentials. `PREFECT_HOME=$PWD/.serve prefect …` speaks to it. A chat's webhook in `.serve/webhook`, or
in CXREPRO_WEBHOOK, gets the notices as well. What ends unasked is started again, with all that belongs
to it; when we end, by whatever death, everything ends.
"""

from __future__ import annotations

import argparse
import base64
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
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flows import command, files, leash, notices, pipeline, processes

FOLDER = Path(".serve")
CREDENTIALS = "credentials"
ADDRESS = "address"
WEBHOOK = "webhook"
NOTICES = "notices.log"
PORT = 4200
POOL = "cxrepro"
WORKER = "worker"
HEARTBEAT_S = 30
"""How often a run says that it lives; Prefect allows no less."""
_READY_S = 300.0  # 10 s on an idle machine; a busy one may take minutes
_SHORT_S = 60.0
_LOOK_S = 0.2
# What people may say by PREFECT_…; everything else is ours, or belongs to another server.
_THEIRS = ("PREFECT_SERVER_SERVICES_", "PREFECT_LOGGING_")


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m flows.serve", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--port", type=int, help=f"{PORT}, or a free one, without it")
    asked = parser.parse_args()
    with command.telling(
        interrupted="all has ended; the server's data are kept for the next start"
    ):
        serve(asked.port)


def serve(port: int | None, *, root: Path = pipeline.HERE) -> None:
    """Start everything, and again whatever ends; raise Failed when that does not help."""
    folder = (root / FOLDER).resolve()
    with only_one(folder), notices.receiver(folder / NOTICES) as log:
        env = environment(folder, port=free_port(port, folder), credentials=known(folder))
        files.write(folder / ADDRESS, env["PREFECT_API_URL"])
        profile(folder, env)
        addresses = [log, *webhook(folder)]
        while True:
            began = time.monotonic()
            ended = once(env, addresses, root)
            if time.monotonic() - began < _SHORT_S:
                raise pipeline.Failed(
                    f"the {ended} ended soon after its start: its words are above"
                )
            print(f"the {ended} has ended unasked: starting all again", flush=True)


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
            raise pipeline.Failed(f"one is running already, at {_page(where)}: use it") from None
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
    last = [_port(place.read_text(encoding="utf-8"))] if place.exists() else []
    for port in [asked] if asked is not None else [*last, PORT, 0]:
        with socket.socket() as tried, contextlib.suppress(OSError):
            # as the server will: a connection that has just ended is no hindrance
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("127.0.0.1", port))
            return int(tried.getsockname()[1])
    raise ValueError(f"port {asked} is taken: ask for another one, or for none to get a free one")


def _port(address: str) -> int:
    return int(address.removesuffix("/api").rpartition(":")[2])


def _page(address: str) -> str:
    return address.removesuffix("/api")


def environment(folder: Path, *, port: int, credentials: str) -> dict[str, str]:
    """Return the environment of server and worker: ours, and of people's what `_THEIRS` allows."""
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


def once(env: Mapping[str, str], addresses: Sequence[str], root: Path) -> str:
    """Run server, deployments and worker; end all when one has ended, and return which."""
    began = time.monotonic()
    port = env["PREFECT_SERVER_API_PORT"]
    prefect = [sys.executable, "-m", "prefect"]
    start = [*prefect, "server", "start", "--host", "127.0.0.1", "--port", port]
    with child(start, env, root) as server:
        if not wait_for(lambda: health(env), server):
            return "server"
        deploy(env, addresses, root)
        since = datetime.datetime.now(datetime.UTC)
        start = [*prefect, "worker", "start", "--pool", POOL, "--type", "process", "--name", WORKER]
        with child(start, env, root) as worker:
            if wait_for(lambda: online(env, since), server, worker):
                seconds = time.monotonic() - began
                print(f"ready after {seconds:.0f} s: {_page(env['PREFECT_API_URL'])}", flush=True)
            while server.poll() is None and worker.poll() is None:
                time.sleep(_LOOK_S)
            return "server" if server.poll() is not None else "worker"


def deploy(env: Mapping[str, str], addresses: Sequence[str], root: Path) -> None:
    """Let flows/deploy.py prepare the server; raise Failed with its words when it can't."""
    # not on the command line, which everybody on the machine can read: who knows them may post
    told = {**env, "CXREPRO_NOTICES": "\n".join(addresses)}
    with child([sys.executable, "-m", "flows.deploy"], told, root, piped=True) as process:
        words = process.stdout.read() if process.stdout else ""
        code = process.wait()
    if code:
        raise pipeline.Failed(f"{words}\nthe server could not be told what it can run")
    for line in words.splitlines():
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


def wait_for(there: Callable[[], bool], *needed: subprocess.Popen[str]) -> bool:
    """Wait until something is there; tell whether it is, rather than a program that it needs gone."""
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        if any(process.poll() is not None for process in needed):
            return False
        # a busy server answers 503 now and then
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            if there():
                return True
        time.sleep(_LOOK_S)
    raise pipeline.Failed(f"neither server nor worker were there after {_READY_S:.0f} s")


def health(env: Mapping[str, str]) -> bool:
    """Tell whether the server answers."""
    return _ask(env, "/health") is True


def online(env: Mapping[str, str], since: datetime.datetime) -> bool:
    """Tell whether a worker has called the server since a time."""
    called = {"workers": {"last_heartbeat_time": {"after_": since.isoformat()}}}
    return bool(_ask(env, f"/work_pools/{POOL}/workers/filter", called))


def _ask(env: Mapping[str, str], path: str, body: object = None) -> Any:
    """Return what the server answers."""
    request = urllib.request.Request(  # noqa: S310 - our own address
        env["PREFECT_API_URL"] + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Content-Type": "application/json",
            "Authorization": "Basic "
            + base64.b64encode(env["PREFECT_API_AUTH_STRING"].encode()).decode(),
        },
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.load(answer)


if __name__ == "__main__":
    main()
