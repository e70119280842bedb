"""notices: what the server has to say to people, taken in on loopback and kept in a file, a line each.

Prefect's notification block can post to an address and cannot write a file. This is the address that
always works: it needs no account, and `make serve` shows its lines too.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_MOST_BYTES = 1 << 20
_MOST_HEARD = 64 * _MOST_BYTES
_guard = threading.Lock()


@contextlib.contextmanager
def receiver(path: Path) -> Iterator[str]:
    """Write what is posted to the yielded address to a file, until the block ends.

    A notice is JSON, `{"subject": …, "body": …}`. The address is on loopback and cannot be guessed.
    """
    way = f"/{secrets.token_urlsafe(16)}"

    class Handler(BaseHTTPRequestHandler):
        timeout = 30

        def do_POST(self) -> None:
            self.send_response(_taken(self, way, path))
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing: the notice itself is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{way}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _taken(request: BaseHTTPRequestHandler, way: str, path: Path) -> int:
    """Keep a notice; return the HTTP status to answer with."""
    content = _heard(request)
    if not secrets.compare_digest(request.path.encode(), way.encode()):
        return 404
    if content is None:
        return 413
    try:
        notice = json.loads(content)
        said = line(
            str(notice["subject"]), str(notice["body"]), datetime.datetime.now(datetime.UTC)
        )
    except (ValueError, KeyError, TypeError):
        return 400
    with _guard, path.open("a", encoding="utf-8") as file:
        file.write(said + "\n")
    print(f"notice: {said}", flush=True)
    return 204


def _heard(request: BaseHTTPRequestHandler) -> bytes | None:
    """Return what is posted; None if it is nothing, or too long to be a notice.

    That too is heard before the answer: who still sends while the connection is closed never reads it.
    """
    try:
        length = int(request.headers.get("Content-Length", ""))
    except ValueError:
        return b""
    if 0 < length <= _MOST_BYTES:
        return request.rfile.read(length)
    left = min(length, _MOST_HEARD)
    while left > 0 and (piece := request.rfile.read(min(left, _MOST_BYTES))):
        left -= len(piece)
    return None


def line(subject: str, body: str, when: datetime.datetime) -> str:
    """Return a notice as one line, whatever line ends its words hold."""
    words = "; ".join(part.strip() for part in body.splitlines() if part.strip())
    return f"{when:%Y-%m-%dT%H:%M:%SZ} {' '.join(subject.split())}: {words}"
