"""A worker says why it can't join, and joins only who knows its secret."""

from __future__ import annotations

import socket
import threading

import pytest

from cxr.cluster import fit
from cxr.training.sharded import worker
from cxr.training.sharded.channel import Channel, Refused, meet

SECRET = b"a secret of the tests"


@pytest.mark.parametrize("words", ["10.0.0.1:5", "tcp://10.0.0.1", "udp://a:1", "tcp://a b:1", ""])
def test_what_is_no_address_is_refused(words: str) -> None:
    with pytest.raises(ValueError, match=r"like tcp://10\.0\.0\.1:29400, not "):
        worker.address(words)


def test_an_address_is_host_and_port() -> None:
    assert worker.address("tcp://node-1:29400") == ("node-1", 29400)


def test_where_nobody_listens_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PATIENCE_S", 2)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told = (
        rf"no training takes up this worker at 127\.0\.0\.1:{port} \(.*refused\): start it with CXR"
    )
    with pytest.raises(ValueError, match=told):
        worker.work("127.0.0.1", port, SECRET)


def training(listening: socket.socket, secret: bytes, answer: object, heard: list[object]) -> None:
    """Take up one worker as a training does, and answer it."""
    connection, _ = listening.accept()
    with connection:
        try:
            channel: Channel = meet(connection, secret, "training")
        except Refused as error:
            heard.append(str(error))
            return
        heard.append(channel.hear(30))
        if answer is not None:
            channel.tell(answer)


@pytest.mark.parametrize(
    ("secret", "answer", "told"),
    [
        (b"another secret", None, "no training takes up .* has another secret"),
        (SECRET, {"refused": "it works by other code"}, "refuses this worker: it works by other"),
        (SECRET, None, r"the training at 127\.0\.0\.1:\d+ is gone"),
    ],
)
def test_a_training_that_does_not_take_it_is_told(secret: bytes, answer: object, told: str) -> None:
    heard: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        other = threading.Thread(target=training, args=(listening, secret, answer, heard))
        other.start()
        with pytest.raises(ValueError, match=told):
            worker.work("127.0.0.1", listening.getsockname()[1], SECRET)
        other.join()
    if secret == SECRET:
        assert isinstance(heard[0], dict)
        assert heard[0]["code"] == fit.facts(threads=1)["code"] and heard[0]["unpinned"] == []
    else:
        assert heard == ["the worker at 127.0.0.1 has another secret"]
