"""Notices reach the file, one line each, and only from who knows the address."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from flows import notices


def post(address: str, content: bytes) -> int:
    request = urllib.request.Request(address, data=content)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_a_notice_is_a_line_of_the_file_and_is_printed(tmp_path: Path, capsys):
    path = tmp_path / "notices.log"
    with notices.receiver(path) as address:
        assert address.startswith("http://127.0.0.1:")
        notice = {"subject": "a flow\nfailed", "body": "left: no\n\nright: yes\n", "text": "…"}
        assert post(address, json.dumps(notice).encode()) == 204
        assert post(address, json.dumps({"subject": "two", "body": "ü"}).encode()) == 204
    first, second = path.read_text(encoding="utf-8").splitlines()
    assert first.endswith("Z a flow failed: left: no; right: yes")
    assert second.endswith("Z two: ü")
    assert capsys.readouterr().out == f"notice: {first}\nnotice: {second}\n"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 413),
        (b"no json", 400),
        (b"[]", 400),
        (b'{"subject": "no body"}', 400),
        (b" " * ((1 << 20) + 1), 413),
    ],
)
def test_what_is_no_notice_is_refused_and_not_kept(tmp_path: Path, content, status):
    with notices.receiver(tmp_path / "notices.log") as address:
        assert post(address, content) == status
    assert not (tmp_path / "notices.log").exists()


@pytest.mark.parametrize(("guessed", "status"), [("", 413), ("-guessed", 404)])
def test_who_sends_too_much_slowly_still_reads_why(tmp_path: Path, guessed: str, status: int):
    half = b" " * (1 << 20)
    with notices.receiver(tmp_path / "notices.log") as address:
        parts = urllib.parse.urlsplit(address)
        with contextlib.closing(http.client.HTTPConnection(parts.netloc, timeout=30)) as sender:
            sender.putrequest("POST", parts.path + guessed)
            sender.putheader("Content-Length", str(2 * len(half)))
            sender.endheaders(half)
            time.sleep(0.2)
            sender.send(half)
            assert sender.getresponse().status == status


def test_another_address_is_not_found(tmp_path: Path):
    with notices.receiver(tmp_path / "notices.log") as address:
        guessed = address.rpartition("/")[0] + "/guessed"
        assert post(guessed, b'{"subject": "x", "body": "y"}') == 404
    assert not (tmp_path / "notices.log").exists()


def test_a_line_says_when_in_utc():
    when = datetime.datetime(2024, 2, 29, 23, 59, 58, tzinfo=datetime.UTC)
    assert notices.line("late", "why", when) == "2024-02-29T23:59:58Z late: why"
