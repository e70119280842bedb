"""The process: it starts where it may, ends when told to, and answers what is in flight."""

from __future__ import annotations

import http.client
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cxr import artifacts, serving
from cxr.serving import service
from tests.bad_inputs.pictures import chest, stored
from tests.serving.served import Served, form, served

PNG = stored(chest())
TOKEN = "a token of thirty characters.."


def test_addresses() -> None:
    with service.listen("127.0.0.1", 0) as one:
        port = one.getsockname()[1]
        with pytest.raises(ValueError, match=f"127.0.0.1:{port} can't be listened on .*in use"):
            service.listen("127.0.0.1", port)
    with pytest.raises(ValueError, match=r"192\.0\.2\.1:0 can't be listened on"):
        service.listen("192.0.2.1", 0)
    with pytest.raises(ValueError, match="the port must be 0 to 65535, not 70000"):
        service.listen("127.0.0.1", 70_000)


def test_no_start_without_a_model_or_a_token(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CXR_SERVE_TOKEN", raising=False)
    with pytest.raises(ValueError, match="a token is needed"):
        serving.run(exported, host="0.0.0.0")
    with pytest.raises(ValueError):
        serving.run(tmp_path)


@pytest.fixture
def started(exported: Path, tmp_path: Path) -> Callable[..., object]:
    return lambda **options: served(exported, tmp_path, **options)


def test_other_machines_need_the_token(started: Callable[..., object]) -> None:
    with started(host="0.0.0.0", env={"CXR_SERVE_TOKEN": TOKEN}) as running:  # type: ignore[attr-defined]
        assert running.predict(PNG).status == 401
        assert running.predict(PNG, headers={"authorization": f"Bearer {TOKEN}"}).status == 200
        assert running.ask("GET", "/").status == 200
        assert "unencrypted" in running.log() and TOKEN not in running.log()


@pytest.mark.parametrize("demo", [False, True])
def test_a_model_of_phantoms_answers_for_demonstration_alone(
    exported: Path, tmp_path: Path, demo: bool
) -> None:
    drawn = shutil.copytree(exported, tmp_path / "drawn")
    about = artifacts.read_json(drawn / "metadata.json")
    about["card"]["data_sets"] = ["phantom"]
    artifacts.write_json(drawn / "metadata.json", about)
    with served(drawn, tmp_path, demo=demo) as running:
        said = running.predict(PNG).json()
        assert running.ask("GET", "/v1/model").json()["phantom"]
    assert (said["refused"] is None) == (said["probabilities"] is not None) == demo
    assert "phantoms that code drew" in (said["refused"] or said["notice"])


def test_too_much_at_once_is_put_off(started: Callable[..., object]) -> None:
    with started(limits={"waiting": 1}) as running:  # type: ignore[attr-defined]
        body, kind = form(PNG)
        with socket.create_connection(("127.0.0.1", running.port)) as slow:
            slow.sendall(_head(running, body, kind) + body[:-10])
            _until(lambda: running.predict(PNG).status == 503)
            assert running.predict(PNG).headers["retry-after"] == "2"
            slow.sendall(body[-10:])
            assert slow.recv(100).startswith(b"HTTP/1.1 200 ")
        assert running.predict(PNG).status == 200


def test_a_client_that_asks_too_often(started: Callable[..., object]) -> None:
    with started(limits={"rate_per_s": 0.01, "burst": 3}) as running:  # type: ignore[attr-defined]
        assert [running.predict(PNG).status for _ in range(4)] == [200, 200, 200, 429]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_flight_is_answered(started: Callable[..., object], number: int) -> None:
    with started() as running:  # type: ignore[attr-defined]
        body, kind = form(PNG)
        family = running.family()
        assert len(family) == 3
        with socket.create_connection(("127.0.0.1", running.port)) as line:
            line.sendall(_head(running, body, kind) + body[:-10])
            time.sleep(0.5)
            running.process.send_signal(number)
            time.sleep(0.5)
            line.sendall(body[-10:])
            assert line.recv(100).startswith(b"HTTP/1.1 200 ")
        assert running.process.wait(30) == 0, running.log()
        assert not [process for process in family if process.is_running()]


def test_killed_it_leaves_no_decoder(started: Callable[..., object]) -> None:
    with started() as running:  # type: ignore[attr-defined]
        family = running.family()
        running.stop(signal.SIGKILL)
        assert psutil.wait_procs(family, timeout=10)[1] == []


@pytest.mark.slow
def test_a_connection_on_which_nothing_is_asked_ends(started: Callable[..., object]) -> None:
    with started() as running:  # type: ignore[attr-defined]
        lines = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(2)]
        lines[1].sendall(b"GET /health HTTP/1.1\r\nHost: 127.")
        begun = time.monotonic()
        for line in lines:
            line.settimeout(30)
            assert line.recv(10) == b""
            line.close()
        assert 5 < time.monotonic() - begun < 25


@pytest.mark.slow
def test_a_connection_in_use_stays(started: Callable[..., object]) -> None:
    with started() as running:  # type: ignore[attr-defined]
        line = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
        for _ in range(14):
            line.request("GET", "/health")
            socket_then = line.sock
            assert line.getresponse().read() == b'{"status":"up"}'
            assert line.sock is socket_then
            threading.Event().wait(1)
        line.close()


def _head(running: Served, body: bytes, kind: str) -> bytes:
    lines = (
        "POST /v1/predict HTTP/1.1", f"Host: 127.0.0.1:{running.port}", f"Content-Type: {kind}",
        f"Content-Length: {len(body)}", "", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode()


def _until(true: Callable[[], bool]) -> None:
    for _ in range(100):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("not so in 5 s")
