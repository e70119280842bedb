"""What a server answers, and how long it is waited for; really started ones stand in test_serve.py."""

from __future__ import annotations

import base64
import datetime
import http.server
import json
import subprocess
import sys
import threading

import pytest

from flows import pipeline, server

NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


@pytest.fixture
def env():
    """The environment of a server that lets one person in and knows one worker."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(True)

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/api/work_pools/cxrepro/workers/filter"
            assert asked["workers"]["last_heartbeat_time"]["after_"] == NOW.isoformat()
            self.answer([{"name": "one"}])

        def answer(self, content: object) -> None:
            right = f"Basic {base64.b64encode(b'a:b').decode()}"
            self.send_response(200 if self.headers["Authorization"] == right else 401)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *words: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield {
            "PREFECT_API_URL": f"http://127.0.0.1:{found.server_port}/api",
            "PREFECT_API_AUTH_STRING": "a:b",
        }
        found.shutdown()
        thread.join()


def test_it_is_asked_with_the_credentials(env):
    assert server.health(env)
    assert server.online(env, NOW, 1) and not server.online(env, NOW, 2)
    assert server.online(env, NOW, 0)


def test_what_is_needed_and_gone_ends_the_wait():
    gone = subprocess.Popen([sys.executable, "-c", ""], text=True)
    gone.wait(30)
    assert not server.wait_for(lambda: False, gone)


def test_a_server_that_lets_nobody_in_is_waited_for_and_not_forever(env):
    wrong = {**env, "PREFECT_API_AUTH_STRING": "a:c"}
    with pytest.raises(pipeline.Failed, match="neither server nor workers were there after 1 s"):
        server.wait_for(lambda: server.health(wrong), seconds=1)
    assert server.wait_for(lambda: server.health(env), seconds=1)
