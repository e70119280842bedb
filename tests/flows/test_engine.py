"""A run waits for a server that is away; that runs go through it is shown in test_serve.py and test_postgres.py."""

from __future__ import annotations

import http.server
import threading
import time

import pytest

from flows import engine
from tests.flows import served


@pytest.mark.parametrize("busy", [0, 2])
def test_a_server_that_comes_late_is_waited_for(busy: int):
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(503 if len(asked) <= busy else 200)
            self.end_headers()

        def log_message(self, *words: object) -> None: ...

    port = served.free_port()
    came: list[http.server.HTTPServer] = []

    def come() -> None:
        time.sleep(1)
        came.append(http.server.HTTPServer(("127.0.0.1", port), Handler))
        came[0].serve_forever()

    thread = threading.Thread(target=come)
    thread.start()
    began = time.monotonic()
    engine.wait(f"http://127.0.0.1:{port}/health")
    assert time.monotonic() - began >= 1
    assert asked == ["/health"] * (busy + 1)
    came[0].shutdown()
    came[0].server_close()
    thread.join()


def test_one_that_never_comes_is_left_to_prefects_own_words():
    began = time.monotonic()
    engine.wait(f"http://127.0.0.1:{served.free_port()}/health", seconds=1)
    assert 1 <= time.monotonic() - began < 10
