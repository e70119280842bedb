"""The door: every request passes here on its way in, and every answer on its way out.

In: is the Host ours, is the Origin, has the client asked too often, does it show the token? Out:
headers that let the page load nothing from elsewhere; one line of a log, with method, route, status
and milliseconds, and nothing of what was asked; a fault of ours becomes a 500 that tells no detail.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from cxr.serving import credentials
from cxr.serving.figures import Figures
from cxr.serving.limits import Buckets, client_of

LOG = logging.getLogger("cxr.serving")
PREDICT = "/v1/predict"
OPEN = ("/", "/page.js", "/page.css", "/health", "/openapi.json")
"""What needs no token, and tells nothing of the model: the page asks for the token itself."""
ROUTES = (*OPEN, PREDICT, "/v1/model", "/metrics")
METHODS = ("GET", "HEAD", "POST")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_RAW_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class Door:
    """An ASGI application around another."""

    def __init__(
        self, app: Any, *, token: str | None, names: Sequence[str], buckets: Buckets, figures: Figures
    ) -> None:  # fmt: skip
        self._app, self._token, self._names = app, token, names
        self._buckets, self._figures = buckets, figures

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        now = asyncio.get_running_loop().time
        begun, status = now(), 0

        async def out(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *_RAW_HEADERS]
            await send(message)

        try:
            refusal = self._refusal(scope, begun)
            if refusal:
                await _answer(out, *refusal)
            else:
                await self._app(scope, receive, out)
        except Exception as error:
            LOG.error("fault: %s", where(error))
            if not status:
                await _answer(out, 500, "the service has a fault: its log says where", {})
        finally:
            self._note(scope, status, now() - begun)

    def _refusal(
        self, scope: Mapping[str, Any], now_s: float
    ) -> tuple[int, str, dict[str, str]] | None:
        """Return status, words and headers for who may not come in; None for who may."""
        headers = {name.decode("latin-1"): x.decode("latin-1") for name, x in scope["headers"]}
        host = headers.get("host", "")
        if not credentials.is_known(host, self._names):
            return 421, "this service is not called by that name: see --name", {}
        if not credentials.is_own(headers.get("origin", ""), host):
            return 403, "another page may not ask here", {}
        wait_s = self._buckets.take(client_of((scope.get("client") or ("",))[0]), now_s)
        if wait_s:
            return 429, "too many requests: wait a little", {"retry-after": str(math.ceil(wait_s))}
        if self._token and scope["path"] not in OPEN:
            shown = headers.get("authorization", "")
            if not credentials.shows(shown, self._token):
                return (
                    401,
                    "a token is needed: Authorization: Bearer …",
                    {"www-authenticate": "Bearer"},
                )
        return None

    def _note(self, scope: Mapping[str, Any], status: int, seconds: float) -> None:
        """Count and log; an unknown path or method is not repeated: it may hold anything."""
        route = scope["path"] if scope["path"] in ROUTES else "other"
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._figures.note(route, status, seconds, answered=route == PREDICT and status == 200)
        LOG.info("%s %s %d %.0f ms", method, route, status, seconds * 1000)


async def _answer(send: Any, status: int, words: str, headers: Mapping[str, str]) -> None:
    content = json.dumps({"detail": words}, ensure_ascii=False).encode()
    own = {"content-type": "application/json", "content-length": str(len(content)), **headers}
    raw = [(name.encode(), value.encode()) for name, value in own.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": content})


def where(error: BaseException) -> str:
    """Return an error's kind and the lines it went through, not its words: they may quote an upload."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return " < ".join([type(error).__name__, *reversed(lines)])
