"""Forms good and bent: the picture's bytes come out, or the right status."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from fastapi import HTTPException, Request

from cxr.serving import uploads
from cxr.serving.limits import Busy, House, Limits
from tests.bad_inputs.pictures import chest, stored
from tests.serving.served import form

PNG = stored(chest())
LIMITS = Limits(upload_mb=1, memory_mb=2, upload_s=0.2)


def read(
    body: bytes,
    kind: str,
    *,
    claimed: str | None = None,
    chunks: int = 1000,
    ends: str = "http.request",
) -> bytes:
    """Return what comes of a request whose body arrives in chunks."""
    headers = [(b"content-type", kind.encode())]
    headers += [] if claimed is None else [(b"content-length", claimed.encode())]
    pieces: Iterable[bytes] = iter([body[i : i + chunks] for i in range(0, len(body), chunks)])

    async def receive() -> dict[str, object]:
        piece = next(pieces, None)  # type: ignore[call-overload]
        if piece is None:
            if ends == "nothing":
                await asyncio.sleep(60)
            return {"type": ends, "body": b"", "more_body": False}
        return {"type": "http.request", "body": piece, "more_body": True}

    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    house = House(LIMITS)

    async def whole() -> bytes:
        with house.guest() as guest:
            return await uploads.picture(request, LIMITS, guest)

    try:
        return asyncio.run(whole())
    finally:
        assert (house.pictures, house.held_bytes) == (0, 0)


def status(*words: object, **more: object) -> int:
    with pytest.raises(HTTPException) as refused:
        read(*words, **more)  # type: ignore[arg-type]
    return refused.value.status_code


@pytest.mark.parametrize("chunks", [1, 7, 64, 10**6])
def test_the_picture_comes_out_whole_however_it_arrives(chunks: int) -> None:
    assert read(*form(PNG), chunks=chunks) == PNG
    tricky = PNG + b"\r\n--\r\n\r\n--almost"
    assert read(*form(tricky), chunks=chunks) == tricky


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"", 422), (b"%PDF-1.7", 415), (b"\x93NUMPY", 415), (b"GIF89a", 415),
        (b"RIFF1234WAVE", 415), (b"PK\3\4", 415), (bytes(128) + b"DCMI", 415),
    ],
)  # fmt: skip
def test_what_is_no_picture(content: bytes, wanted: int) -> None:
    assert status(*form(content)) == wanted


def test_what_is_no_form() -> None:
    assert status(PNG, "image/png") == 415
    assert status(b"image=1", "application/x-www-form-urlencoded") == 415
    assert status(PNG, "multipart/form-data; boundary=x") == 400
    assert status(PNG, "multipart/form-data") == 400
    assert status(PNG, f"multipart/form-data; boundary={'x' * 500}") == 400


def test_forms_of_another_make() -> None:
    assert status(*form(PNG, field="file")) == 422
    assert status(*form(PNG, parts=2)) == 422
    body, kind = form(PNG)
    assert status(body[:-20], kind) == 400
    assert status(body.replace(b"Content-Disposition", b"Content-Dispositio"), kind) == 422
    assert status(body.replace(b"Content-Type", b"Content Type"), kind) == 400
    assert status(body.replace(b"image/png", b"x" * 9000), kind) == 400


def test_a_million_tiny_parts_are_given_up_at_the_second() -> None:
    body = b"--x\r\nA: b\r\n\r\n\r\n" * 60_000 + b"--x--\r\n"
    assert status(body, "multipart/form-data; boundary=x") == 422


def test_bytes_are_counted_whatever_the_header_claims() -> None:
    large, kind = form(PNG + bytes(2**20))
    assert status(large, kind, claimed=str(len(large))) == 413
    assert status(large, kind, claimed="100") == 413
    assert status(large, kind) == 413
    assert status(b"", kind, claimed="104857600") == 413
    assert status(b"", kind, claimed="many") == 413
    fits, kind = form(PNG + bytes(2**20 - len(PNG)))
    assert len(read(fits, kind)) == 2**20


def test_what_surrounds_the_picture_is_counted_too() -> None:
    body, kind = form(PNG)
    assert status(body + b"\r\n" * 600_000, kind) == 413


def test_a_slow_and_a_broken_upload() -> None:
    body, kind = form(PNG)
    assert status(body[:-10], kind, ends="nothing") == 408
    assert status(body[:-10], kind, ends="http.disconnect") == 400


def test_no_memory_left() -> None:
    house = House(LIMITS)
    body, kind = form(PNG)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", kind.encode())]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    with house.guest() as other, house.guest() as guest:
        other.hold(2 * 2**20)
        with pytest.raises(Busy):
            asyncio.run(uploads.picture(request, LIMITS, guest))
