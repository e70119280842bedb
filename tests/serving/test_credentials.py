"""On loopback no token is needed, elsewhere no start without; other names and origins are told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxr.serving import credentials

TOKEN = "a token of thirty characters.."


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        *((host, True) for host in ("127.0.0.1", "127.8.9.1", "::1", "localhost")),
        *((host, False) for host in ("0.0.0.0", "::", "192.0.2.1", "localhost.example", "")),
    ],
)
def test_loopback(host: str, alone: bool) -> None:
    assert credentials.is_loopback(host) is alone


def test_loopback_needs_no_token_and_takes_one() -> None:
    assert credentials.token("127.0.0.1", None, {}) is None
    assert credentials.token("127.0.0.1", None, {credentials.VARIABLE: f" {TOKEN}\n"}) == TOKEN


def test_no_start_for_other_machines_without_a_token() -> None:
    with pytest.raises(
        ValueError, match=r"token is needed: 0\.0\.0\.0 can be reached .*CXR_SERVE_TOKEN"
    ):
        credentials.token("0.0.0.0", None, {})


@pytest.mark.parametrize("given", ["short", "ö" * 30, "with\x07 a bell, and long enough"])
def test_a_weak_token_is_refused_and_not_repeated(given: str) -> None:
    with pytest.raises(ValueError, match="at least 20 printable ASCII") as refused:
        credentials.token("127.0.0.1", None, {credentials.VARIABLE: given})
    assert given not in str(refused.value)


def test_a_token_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with pytest.raises(ValueError, match="can't be read"):
        credentials.token("0.0.0.0", file, {})
    file.write_text(f"{TOKEN}\nanother line\n")
    file.chmod(0o640)
    with pytest.raises(ValueError, match="can be read by others: chmod 600"):
        credentials.token("0.0.0.0", file, {})
    file.chmod(0o600)
    assert credentials.token("0.0.0.0", file, {credentials.VARIABLE: "x" * 30}) == TOKEN
    file.write_text("\n")
    with pytest.raises(ValueError, match="holds none"):
        credentials.token("127.0.0.1", file, {})


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        (f"Bearer {TOKEN}", True), (f"bearer  {TOKEN}", True), (TOKEN, False), ("", False),
        (f"Basic {TOKEN}", False), (f"Bearer {TOKEN}x", False), ("Bearer \xff", False),
    ],
)  # fmt: skip
def test_a_token_is_shown(header: str, shown: bool) -> None:
    assert credentials.shows(header, TOKEN) is shown


@pytest.mark.parametrize(
    ("host", "known"),
    [
        *((host, True) for host in ("127.0.0.1:80", "[::1]:80", "LOCALHOST", "192.0.2.1", "ward.example:1")),
        *((host, False) for host in ("evil.example", "localhost.evil.example", "", "[::1", "127.0.0.1.evil.example")),
    ],
)  # fmt: skip
def test_hosts(host: str, known: bool) -> None:
    assert credentials.is_known(host, ["Ward.example"]) is known


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        ("", True), ("http://127.0.0.1:8000", True), ("https://127.0.0.1:8000", True),
        ("http://127.0.0.1:8001", False), ("null", False), ("http://evil.example", False),
    ],
)  # fmt: skip
def test_origins(origin: str, own: bool) -> None:
    assert credentials.is_own(origin, "127.0.0.1:8000") is own
