"""A run waits for a server that is away; that runs go through it is shown in test_serve.py and test_postgres.py."""

from __future__ import annotations

import contextlib
import http.server
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from flows import engine
from tests.conftest import ROOT
from tests.flows import served


@contextlib.contextmanager
def late(asked: list[str], *, port: int, busy: int = 0) -> Iterator[None]:
    """A server that comes after a second, and says so often that it is busy."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(503 if len(asked) <= busy else 200)
            self.end_headers()

        def log_message(self, *words: object) -> None: ...

    came: list[http.server.HTTPServer] = []

    def come() -> None:
        time.sleep(1)
        came.append(http.server.HTTPServer(("127.0.0.1", port), Handler))
        came[0].serve_forever()

    thread = threading.Thread(target=come)
    thread.start()
    yield
    came[0].shutdown()
    came[0].server_close()
    thread.join()


@pytest.mark.parametrize("busy", [0, 2])
def test_a_server_that_comes_late_is_waited_for(busy: int):
    asked: list[str] = []
    port = served.free_port()
    began = time.monotonic()
    with late(asked, port=port, busy=busy):
        engine.wait(f"http://127.0.0.1:{port}/health")
    assert time.monotonic() - began >= 1
    assert asked == ["/health"] * (busy + 1)


ASKS = """\
import asyncio, sys
from flows import engine
from prefect.client import base

if sys.argv[2] == "again":
    engine.ask_again()
print("asking", flush=True)
if sys.argv[1] == "sync":
    with base.PrefectHttpxSyncClient() as client:
        client.get(sys.argv[3])
else:
    async def main():
        async with base.PrefectHttpxAsyncClient() as client:
            await client.get(sys.argv[3])
    asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_new_client_asks_a_server_again_that_is_away(how: str):
    """As Prefect's own does not: where that changes, engine.ask_again may go."""

    port = served.free_port()

    def ask(kind: str) -> subprocess.Popen[str]:
        """Start a program that has just begun to ask."""
        words = [sys.executable, "-c", ASKS, how, kind, f"http://127.0.0.1:{port}/runs"]
        env = {**os.environ, "PREFECT_CLIENT_MAX_RETRIES": "4"}
        asking = subprocess.Popen(words, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        assert asking.stdout is not None and asking.stdout.readline() == "asking\n"
        return asking

    _, said = ask("once").communicate()
    assert "ConnectError" in said
    asked: list[str] = []
    asking = ask("again")
    with late(asked, port=port):
        _, said = asking.communicate()
    assert asking.returncode == 0, said
    assert asked == ["/runs"]


def test_one_that_never_comes_is_left_to_prefects_own_words():
    began = time.monotonic()
    engine.wait(f"http://127.0.0.1:{served.free_port()}/health", seconds=1)
    assert 1 <= time.monotonic() - began < 10
