"""Who comes in and what goes out: hosts, origins, rates, tokens, headers, logs and faults."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from cxr.serving.door import HEADERS, Door, where
from cxr.serving.figures import Figures
from cxr.serving.limits import Buckets

TOKEN = "a token of thirty characters.."
HOST = {"host": "127.0.0.1:8000"}


async def _inner(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An application that answers 200, or falls over at Jane Doe."""
    if scope["path"].endswith("Doe^Jane"):
        raise KeyError("Doe^Jane")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"in"})


def door(*, token: str | None = None, burst: int = 1000) -> Door:
    buckets = Buckets(0.1, burst)
    return Door(_inner, token=token, names=["ward.example"], buckets=buckets, figures=Figures())


def ask(
    at: Door,
    path: str = "/v1/model",
    method: str = "GET",
    client: str = "192.0.2.1",
    **headers: str,
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and content."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    given = {**HOST, **{name.replace("_", "-"): x for name, x in headers.items()}}
    raw = [(name.encode(), x.encode("latin-1")) for name, x in given.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": raw, "client": (client, 1)}
    asyncio.run(at(scope, None, send))
    start, body = sent
    return start["status"], {k.decode(): x.decode() for k, x in start["headers"]}, body["body"]


def test_every_answer_has_the_headers_that_keep_the_page_to_itself() -> None:
    for headers in ({}, {"host": "evil.example"}):
        found = ask(door(), **headers)[1]
        assert {name: found[name] for name in HEADERS} == HEADERS
        assert "unsafe" not in found["content-security-policy"]
        assert not [name for name in found if name.startswith("access-control")]


def test_other_names_and_other_pages_stay_out() -> None:
    assert ask(door(), host="evil.example")[0] == 421
    assert ask(door(), host="ward.example")[0] == 200
    assert ask(door(), origin="http://evil.example")[0] == 403
    assert ask(door(), origin="http://127.0.0.1:8000")[0] == 200


def test_a_client_that_asks_too_often_waits_and_another_does_not() -> None:
    at = door(burst=2)
    assert [ask(at)[0] for _ in range(3)] == [200, 200, 429]
    assert ask(at)[1]["retry-after"] == "10"
    assert ask(at, client="192.0.2.2")[0] == 200


def test_a_token_is_asked_for_all_but_the_page() -> None:
    at = door(token=TOKEN)
    status, headers, _ = ask(at)
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert ask(at, authorization="Bearer of bad news")[0] == 401
    assert ask(at, authorization=f"Bearer {TOKEN}")[0] == 200
    for path in ("/metrics", "/v1/predict", "/anything", "//", "/page.js/"):
        assert ask(at, path=path)[0] == 401, path
    for path in ("/", "/page.js", "/page.css", "/health", "/openapi.json"):
        assert ask(at, path=path)[0] == 200, path


def test_guessing_tokens_is_slowed() -> None:
    at = door(token=TOKEN, burst=5)
    assert [ask(at, authorization=f"Bearer {i:030}")[0] for i in range(6)] == [401] * 5 + [429]


def test_the_log_tells_route_status_and_time_and_nothing_of_a_patient(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "cxr.serving")
    at = door()
    assert ask(at, path="/Doe^Jane")[0] == 500
    ask(at, method="Doe^Jane", path="/health")
    assert (
        ask(at, path="/Doe^Jane")[2] == b'{"detail": "the service has a fault: its log says where"}'
    )
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].startswith("fault: KeyError < ") and "_inner" in lines[0]
    assert lines[1].startswith("GET other 500 ") and lines[1].endswith(" ms")
    assert lines[2].startswith("other /health 200 ")
    assert "Jane" not in caplog.text


def test_a_fault_is_told_by_its_lines() -> None:
    try:
        raise ValueError("Doe^Jane")
    except ValueError as error:
        said = where(error)
    assert "test_door.py" in said and "Jane" not in said
