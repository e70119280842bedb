"""Channels: only who knows the secret gets one, and what is no message is refused."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cxr.training.sharded import channel
from cxr.training.sharded.channel import Channel, Refused, meet
from tests.conftest import ROOT

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two ends of a connection on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        one = socket.create_connection(listening.getsockname())
        other, _ = listening.accept()
    with one, other:
        yield one, other


def met(pair: Pair, secrets: tuple[bytes, bytes]) -> list[Channel | BaseException]:
    """Let both ends meet side by side; return the channels, or why there is none."""

    def end(number: int) -> Channel | BaseException:
        role: channel.Role = "training" if number else "worker"
        try:
            return meet(pair[number], secrets[number], role)
        except (Refused, OSError) as error:
            return error

    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(end, range(2)))


def test_messages_go_both_ways(pair: Pair) -> None:
    one, other = met(pair, (b"s" * 16, b"s" * 16))
    assert isinstance(one, Channel) and isinstance(other, Channel)
    one.tell({"fold": 1})
    one.send(b"")
    threading.Thread(target=one.send, args=(bytes(3_000_000),)).start()
    assert other.hear() == {"fold": 1} and other.receive() == b""
    assert other.receive(5) == bytes(3_000_000)
    other.tell(None)
    assert one.hear(5) is None
    assert one.own_host == "127.0.0.1"


def test_another_secret_is_refused_by_both(pair: Pair) -> None:
    found = met(pair, (b"s" * 16, b"t" * 16))
    assert all(isinstance(x, Refused) for x in found)
    assert str(found[1]) == "the worker at 127.0.0.1 has another secret"


def test_an_answer_sent_back_is_no_proof(pair: Pair) -> None:
    """A stranger who mirrors every byte shows what the other side showed, with its role in it."""

    def mirror() -> None:
        while part := pair[0].recv(100):
            pair[0].sendall(part)

    threading.Thread(target=mirror, daemon=True).start()
    with pytest.raises(Refused, match="has another secret"):
        meet(pair[1], b"s" * 16, "training")


def test_a_silent_stranger_does_not_hold_one_up(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "HANDSHAKE_S", 0.2)
    with pytest.raises(TimeoutError):
        meet(pair[1], b"s" * 16, "training")


def test_what_is_no_message_is_refused(pair: Pair) -> None:
    other = Channel(pair[1])
    pair[0].sendall((1 << 40).to_bytes(8, "big"))
    with pytest.raises(Refused, match=r"1099511627776 bytes is announced, at most 268435456"):
        other.receive(5)
    Channel(pair[0]).send(b"\xff{")
    with pytest.raises(Refused, match="no JSON"):
        other.hear(5)


def test_a_closed_connection_and_a_late_message_are_told_apart(pair: Pair) -> None:
    other = Channel(pair[1])
    with pytest.raises(TimeoutError):
        other.receive(0.1)
    Channel(pair[0]).close()
    with pytest.raises(ConnectionError, match="closed the connection"):
        other.receive(5)


@pytest.mark.parametrize(("last", "status"), [("", 1), ("one.close();", 7)])
def test_a_process_ends_with_the_other_side_unless_it_was_first(last: str, status: int) -> None:
    program = (
        "import socket, sys, threading; from cxr.training.sharded.channel import Channel;"
        "one = Channel(socket.create_connection(('127.0.0.1', int(sys.argv[1]))));"
        f"one.end_with_other(); one.hear(); {last} threading.Event().wait(4); sys.exit(7)"
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        process = subprocess.Popen([sys.executable, "-c", program, port], cwd=ROOT)
        connection, _ = listening.accept()
        with connection:
            Channel(connection).tell("begin")
            threading.Event().wait(2)
            assert process.poll() is None
        assert process.wait(60) == status
