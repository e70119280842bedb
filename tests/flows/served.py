"""A toy with a server of its own, really started, and what tests ask it."""

from __future__ import annotations

import base64
import contextlib
import datetime
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.flows import toy

FLOW = """\
from __future__ import annotations

import time

from prefect import flow


@flow(name="wait", persist_result=False)
def wait(seconds: int = 1, word: str = "") -> str:
    if word == "fail":
        raise ValueError("failed as asked")
    time.sleep(seconds)
    return word
"""
WAIT = {"entrypoint": "flows.wait.wait", "work_pool": None, "concurrency_limit": None}


class Served:
    """A clone of a toy, fresh as after set-up, whose deployments are ours and two that wait."""

    def __init__(self, folder: Path, webhook: str) -> None:
        self.root = clone(folder)
        self.log = folder / "said"
        self.env = {
            # a flow imported in this process has put its own credentials there
            **{key: word for key, word in os.environ.items() if not key.startswith("PREFECT_")},
            "DVC_SITE_CACHE_DIR": str(folder / "site"),
            "CXREPRO_WEBHOOK": webhook,
            "PREFECT_API_URL": "http://127.0.0.1:9/of/another/server",
        }
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> float:
        """Start the server; return the seconds until it said that it is ready."""
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flows.serve", "--port", str(free_port())],
                cwd=self.root, env=self.env, stdout=log, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, text=True,
                # a shell that starts a background program makes it deaf to Ctrl-C
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )  # fmt: skip
        until(lambda: "ready after" in self.said() or self.process.poll() is not None, seconds=300)
        assert "ready after" in self.said(), self.said()
        return float(self.said().partition("ready after ")[2].split()[0])

    def said(self) -> str:
        return self.log.read_text()

    def stop(self, number: int) -> None:
        """Send a signal and wait for the end of all that was started."""
        assert self.process is not None
        begun = self.programs()
        assert len(begun) >= 3
        self.process.send_signal(number)
        self.process.wait(60)
        until(lambda: not self.programs() - {self.process.pid}, seconds=30)

    def programs(self, word: str = "") -> set[int]:
        """Return the numbers of the programs that work in our state folder and have the word."""
        home = f"PREFECT_HOME={(self.root / '.serve').resolve()}".encode()
        found = set()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                there = (folder / "environ").read_bytes().split(b"\0")
                line = (folder / "cmdline").read_bytes()
                if home in there and word.encode() in line + b"\0".join(there):
                    found.add(int(folder.name))
        return found

    def ask(
        self,
        path: str,
        body: object = None,
        *,
        user: str | None = None,
        method: str | None = None,
    ) -> tuple[int, Any]:
        """Return status and answer; a server that is busy, or being started again, is asked again."""
        folder = self.root / ".serve"
        known = (folder / "credentials").read_text() if user is None else user
        headers = {"Content-Type": "application/json"}
        if known:
            headers["Authorization"] = f"Basic {base64.b64encode(known.encode()).decode()}"
        data = None if body is None else json.dumps(body).encode()
        for _ in range(120):
            address = (folder / "address").read_text() + path
            request = urllib.request.Request(address, data, headers, method=method)
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    text = answer.read()
                    return answer.status, json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                with error:
                    if error.code != 503:
                        return error.code, error.read().decode()
            except OSError:
                pass
            time.sleep(0.5)
        raise TimeoutError(path)

    def run(self, deployment: str, *, hours_ago: int = 0, **parameters: object) -> str:
        """Begin a run of a deployment, due some hours ago; return its number."""
        there = self.ask(f"/deployments/name/{deployment}")[1]
        due = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=hours_ago)
        state = {"type": "SCHEDULED", "state_details": {"scheduled_time": due.isoformat()}}
        status, made = self.ask(
            f"/deployments/{there['id']}/create_flow_run",
            {"parameters": parameters, "state": state},
        )
        assert status == 201, made
        return made["id"]

    def runs(self, deployment: str) -> list[dict[str, Any]]:
        there = self.ask(f"/deployments/name/{deployment}")[1]
        only = {"deployments": {"id": {"any_": [there["id"]]}}}
        return self.ask("/flow_runs/filter", only)[1]

    def state(self, run: str) -> str:
        return self.ask(f"/flow_runs/{run}")[1]["state"]["name"]

    def reaches(self, run: str, state: str, *, seconds: float = 120) -> None:
        until(lambda: self.state(run) == state, seconds=seconds)

    def tell(self, event: str, **payload: object) -> None:
        """Send an event."""
        now = datetime.datetime.now(datetime.UTC).isoformat()
        resource = {"prefect.resource.id": "cxrepro.inbox"}
        content = {"occurred": now, "event": event, "resource": resource, "payload": payload}
        assert self.ask("/events", [{**content, "id": str(uuid.uuid4())}])[0] == 204


def clone(folder: Path) -> Path:
    """Return a fresh clone of a toy that has our prefect.yaml and a flow that waits."""
    made = toy.make(folder / "made here")
    (made / "flows/wait.py").write_text(FLOW)
    found = yaml.safe_load((toy.ROOT / "prefect.yaml").read_text())
    first = found["deployments"][0]
    wait = {**WAIT, **{key: first[key] for key in ("work_pool", "concurrency_limit")}}
    often = {"interval": 20, "timezone": "UTC", "slug": "often"}
    found["deployments"] += [
        {**wait, "name": "toy"},
        {**wait, "name": "often", "schedules": [often]},
    ]
    (made / "prefect.yaml").write_text(yaml.safe_dump(found))
    toy.commit(made)
    toy.git(folder, "clone", "--quiet", str(made), "a clone")
    shutil.rmtree(made)
    return folder / "a clone"


def free_port() -> int:
    import socket

    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


def until(true: Callable[[], object], *, seconds: float) -> None:
    """Wait until something is true; fail when it does not become so in time."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not so after {seconds:.0f} s"
        time.sleep(0.5)


@contextlib.contextmanager
def sink() -> Iterator[tuple[str, list[str]]]:
    """Yield the address of a chat and what it was told."""
    heard: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append(json.loads(content)["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/chat", heard
    server.shutdown()
    server.server_close()
    thread.join()
