"""Messages between a training and one of its workers, of whom both have shown that they know the secret.

Each side sends 32 random bytes and then an HMAC-SHA256 of both sides' under the secret, with its own
role in it, so that an answer can't be sent back as one's own. Messages are bytes with their length
before them: nothing that runs when it is read. Source: Krawczyk, Bellare & Canetti 1997, RFC 2104.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import socket
import threading
from typing import Any, Literal

Role = Literal["training", "worker"]
HANDSHAKE_S = 10
"""How long the other side may take to show that it knows the secret."""
LARGEST_BYTES = 1 << 28
"""Of one message; a task is some kilobytes, and the labels and rows of its images."""
_NONCE_BYTES, _LENGTH_BYTES = 32, 8
_ALIVE_S = 30  # after so long without a word the other machine is asked whether it is there
_LOOK_S = 1.0


class Refused(ValueError):
    """The other side does not know the secret, or says what no side of ours would."""


class Channel:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket, self._closed = connection, threading.Event()

    @property
    def own_host(self) -> str:
        """Return the address of this machine by which the other one is reached."""
        return str(self._socket.getsockname()[0])

    def send(self, content: bytes) -> None:
        """Send one message. Raises OSError if the other side is gone."""
        self._socket.sendall(len(content).to_bytes(_LENGTH_BYTES, "big") + content)

    def tell(self, said: Any) -> None:
        """Send what JSON can say."""
        self.send(json.dumps(said, sort_keys=True).encode())

    def receive(self, timeout_s: float | None = None) -> bytes:
        """Return the next message. Raises TimeoutError, and ConnectionError if the other side is gone."""
        self._socket.settimeout(timeout_s)
        try:
            size = int.from_bytes(_exactly(self._socket, _LENGTH_BYTES), "big")
            if size > LARGEST_BYTES:
                raise Refused(
                    f"a message of {size} bytes is announced, at most {LARGEST_BYTES} are"
                )
            return _exactly(self._socket, size)
        finally:
            self._socket.settimeout(None)

    def hear(self, timeout_s: float | None = None) -> Any:
        """Return what the next message says in JSON; raises as `receive`, and Refused if it is none."""
        try:
            return json.loads(self.receive(timeout_s))
        except (UnicodeDecodeError, json.JSONDecodeError):
            raise Refused("a message is no JSON") from None

    def end_with_other(self) -> None:
        """Let this process end as soon as the other side is gone: nobody wants its work."""
        threading.Thread(target=self._watch, name="end with starter", daemon=True).start()

    def _watch(self) -> None:
        while not self._closed.wait(_LOOK_S):
            try:
                gone = not self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except BlockingIOError:  # nothing was said
                gone = False
            except OSError:
                gone = True
            if gone and not self._closed.is_set():
                os._exit(1)

    def close(self) -> None:
        """End the connection."""
        self._closed.set()
        self._socket.close()


def meet(connection: socket.socket, secret: bytes, role: Role) -> Channel:
    """Show the other side that the secret is known, and see that it knows it.

    Raises Refused if it does not, OSError if it is gone or silent for HANDSHAKE_S.
    """
    connection.settimeout(HANDSHAKE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _ALIVE_S)
    other: Role = "worker" if role == "training" else "training"
    own_nonce = os.urandom(_NONCE_BYTES)
    connection.sendall(own_nonce)
    other_nonce = _exactly(connection, _NONCE_BYTES)
    connection.sendall(_proof(secret, role, own_nonce, other_nonce))
    shown = _exactly(connection, hashlib.sha256().digest_size)
    if not hmac.compare_digest(shown, _proof(secret, other, other_nonce, own_nonce)):
        raise Refused(f"the {other} at {connection.getpeername()[0]} has another secret")
    connection.settimeout(None)
    return Channel(connection)


def _proof(secret: bytes, role: Role, own: bytes, other: bytes) -> bytes:
    return hmac.digest(secret, role.encode() + b" " + own + other, "sha256")


def _exactly(connection: socket.socket, size: int) -> bytes:
    """Return so many bytes. Raises ConnectionError if the connection ends before."""
    parts, left = [], size
    while left:
        part = connection.recv(min(left, 1 << 20))
        if not part:
            raise ConnectionError("the other side closed the connection")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
