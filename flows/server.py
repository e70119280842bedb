"""server: Prefect's server of `make serve` as a program, and what it answers those who have the credentials."""

from __future__ import annotations

import base64
import contextlib
import datetime
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from flows import pipeline

POOL = "cxrepro"
READY_S = 300.0
"""How long it may take: 10 s on an idle machine; a busy one may take minutes."""
_LOOK_S = 0.2


def words(env: Mapping[str, str]) -> list[str]:
    """Return Prefect's command for the server that an environment names."""
    place = ["--host", env["PREFECT_SERVER_API_HOST"], "--port", env["PREFECT_SERVER_API_PORT"]]
    return [sys.executable, "-m", "prefect", "server", "start", *place]


def wait_for(
    there: Callable[[], bool], *needed: subprocess.Popen[str], seconds: float = READY_S
) -> bool:
    """Wait until something is there; tell whether it is, rather than a program that it needs gone."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if any(process.poll() is not None for process in needed):
            return False
        # a busy server answers 503 now and then
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            if there():
                return True
        time.sleep(_LOOK_S)
    raise pipeline.Failed(f"neither server nor workers were there after {seconds:.0f} s")


def health(env: Mapping[str, str]) -> bool:
    """Tell whether the server answers."""
    return _ask(env, "/health") is True


def online(env: Mapping[str, str], since: datetime.datetime, number: int) -> bool:
    """Tell whether so many workers have called the server since a time."""
    called = {"workers": {"last_heartbeat_time": {"after_": since.isoformat()}}}
    return len(_ask(env, f"/work_pools/{POOL}/workers/filter", called)) >= number


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
