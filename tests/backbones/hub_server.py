"""A hub on this machine: as much of Hugging Face's protocol as a download of one file needs.

As the real one does for large files, it answers with the file's facts and sends the caller on to
another host for the content (https://huggingface.co/docs/hub/storage-backends). It notes what it is asked.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """Its address, its files by repository, and the requests so far: method, path, headers."""

    endpoint: str
    files: dict[str, bytes]
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


@contextlib.contextmanager
def serve(files: dict[str, bytes]) -> Iterator[Hub]:
    """Serve `files` as the model.safetensors of their repositories; b"" is a repository without one."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    port = server.server_address[1]
    server.hub = Hub(f"http://127.0.0.1:{port}", files)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.hub  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def closed() -> str:
    """Return an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self._answer(content=False)

    def do_GET(self) -> None:
        self._answer(content=True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, *, content: bool) -> None:
        hub: Hub = self.server.hub  # type: ignore[attr-defined]
        hub.requests.append(
            (self.command, self.path, {k.lower(): v for k, v in self.headers.items()})
        )
        known = {
            f"/{name}/resolve/main/model.safetensors": file for name, file in hub.files.items()
        }
        if self.path.startswith("/content/"):
            file = known[self.path.removeprefix("/content")]
            self._send(200, {"Content-Length": str(len(file))})
            if content:
                self.wfile.write(file)
        elif file := known.get(self.path, b""):
            facts = {
                "X-Linked-Etag": f'"{hashlib.sha256(file).hexdigest()}"',
                "X-Linked-Size": str(len(file)),
            }
            elsewhere = hub.endpoint.replace("127.0.0.1", "localhost") + f"/content{self.path}"
            self._send(
                302,
                {**facts, "X-Repo-Commit": COMMIT, "Location": elsewhere, "Content-Length": "0"},
            )
        else:
            code = "EntryNotFound" if self.path in known else "RepoNotFound"
            self._send(404, {"X-Error-Code": code, "X-Error-Message": code, "Content-Length": "0"})

    def _send(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
