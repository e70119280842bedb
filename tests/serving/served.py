"""A service really started, in a process of its own, and what tests ask it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.conftest import ROOT

_START = """
import json, sys
from pathlib import Path
from cxr import serving
from cxr.serving.limits import Limits
folder, limits, options = json.loads(sys.argv[1])
serving.run(Path(folder), port=0, limits=Limits(**limits), **options)
"""
PATIENT = "Doe^Jane-19470312.png"
"""The name of every file that is sent: it may appear nowhere."""


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)


class Served:
    """A running service."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process, self._log = process, log
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("serving "), line + self.log()
        self.address = line.split(" at ")[1].strip()
        self.port = int(self.address.rstrip("/").rpartition(":")[2])

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Ask on a new connection."""
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        ) as line:
            line.request(method, path, body, dict(headers or {}))
            answer = line.getresponse()
            return Reply(
                answer.status, {k.lower(): x for k, x in answer.getheaders()}, answer.read()
            )

    def predict(
        self, content: bytes, query: str = "", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Upload one picture."""
        body, kind = form(content)
        return self.ask(
            "POST", f"/v1/predict{query}", body, {"content-type": kind, **(headers or {})}
        )

    def log(self) -> str:
        return self._log.read_text()

    def family(self) -> list[psutil.Process]:
        """The service and its decoders."""
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(60)


def form(content: bytes, *, field: str = "image", parts: int = 1) -> tuple[bytes, str]:
    """Return a form with one picture, or several, and its content type."""
    mark = uuid.uuid4().hex
    head = f'--{mark}\r\nContent-Disposition: form-data; name="{field}"; filename="{PATIENT}"\r\n'
    part = head.encode() + b"Content-Type: image/png\r\n\r\n" + content + b"\r\n"
    return part * parts + f"--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}"


@contextlib.contextmanager
def served(
    model: Path, folder: Path, *, env: Mapping[str, str] | None = None,
    limits: Mapping[str, float] | None = None, **options: Any,
) -> Iterator[Served]:  # fmt: skip
    """Yield a service of a model; its log and whatever it writes to a temporary folder go to `folder`."""
    log, temporary = folder / "log", folder / "temporary"
    temporary.mkdir()
    generous = {"rate_per_s": 1e6, "burst": 10**6, **(limits or {})}
    told = json.dumps([str(model), generous, options])
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", _START, told], stdout=subprocess.PIPE, stderr=file, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), **(env or {})},
            cwd=ROOT,
        )  # fmt: skip
    try:
        yield Served(process, log)
    finally:
        process.kill()
        process.communicate()
