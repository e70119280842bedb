"""The service as a process: it listens, says where, and on SIGTERM or Ctrl-C answers what is in flight."""

from __future__ import annotations

import asyncio
import logging
import math
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from cxr import answering
from cxr.serving import app, credentials
from cxr.serving.door import LOG, Door
from cxr.serving.limits import Buckets, Limits

CONNECTIONS = 600
"""At once; more get 503. A process may usually have 1,024 files open."""
IDLE_S = 10
_LOOK_S = 1


class Impatient(H11Protocol):
    """HTTP/1.1 that ends a connection on which nothing is asked for long; uvicorn waits for ever.

    Who sends nothing, or half a header, or the rest of an upload that was refused, would else keep
    one of the connections.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._idle_s, self._last = 0, self.cycle
        self._look()

    def _look(self) -> None:
        if self.transport.is_closing():
            return
        asked = self.cycle is not None and not self.cycle.response_complete
        self._idle_s = 0 if asked or self.cycle is not self._last else self._idle_s + _LOOK_S
        self._last = self.cycle
        if self._idle_s > IDLE_S:
            self.transport.close()
        else:
            self.loop.call_later(_LOOK_S, self._look)


def run(
    folder: Path, *, host: str, port: int, names: Sequence[str], token_file: Path | None, demo: bool,
    limits: Limits,
) -> None:  # fmt: skip
    """Serve until SIGTERM or Ctrl-C; ValueError for what can't be served."""
    token = credentials.token(host, token_file)
    desk = app.desk(folder, answering.open_model(folder), limits, demo=demo)
    listening = listen(host, port)
    _log_to_stderr()
    server = uvicorn.Server(
        uvicorn.Config(
            Door(
                app.create(desk, started=lambda: _say(listening, desk.model.name, token)),
                token=token, names=(*names, host), figures=desk.figures,
                buckets=Buckets(limits.rate_per_s, limits.burst),
            ),
            http=Impatient, ws="none", lifespan="on", loop="asyncio",
            access_log=False, log_config=None, server_header=False,
            proxy_headers=False,  # whoever asks could write any address there
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=math.ceil(limits.upload_s + limits.answer_s),
        )
    )  # fmt: skip
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn would end by the signal, we end well
        signal.signal(number, lambda *_: None)
    server.run(sockets=[listening])
    if not server.started:
        raise ValueError("the service did not start: its log says why")


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one. ValueError if it can't be had."""
    if not 0 <= port <= 65_535:  # more would be taken for another port
        raise ValueError(f"the port must be 0 to 65535, not {port}")
    try:
        (family, *_, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return socket.create_server(address[:2], family=family, backlog=1024)
    except OSError as error:
        raise ValueError(f"{host}:{port} can't be listened on ({error}): choose another") from None


def _say(listening: socket.socket, model: str, token: str | None) -> None:
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"serving {model} at http://{shown}:{port}/", flush=True)
    if token and not credentials.is_loopback(host):
        print(
            "what is sent crosses the network unencrypted: put a proxy with TLS before the service",
            file=sys.stderr, flush=True,
        )  # fmt: skip


def _log_to_stderr() -> None:
    """Log requests a line each; of uvicorn what is an error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
