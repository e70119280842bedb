"""One uploaded picture into memory: counted while it is read, never written to a disk, never named.

The usual form parsers put what is larger than a megabyte into a temporary file; this one hands the
stream to python-multipart's parser and keeps the bytes of the one part that is wanted.
Source of the form: RFC 7578.
"""

from __future__ import annotations

import asyncio
import logging

from fastapi import HTTPException, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from cxr.serving.limits import Guest, Limits

FIELD = "image"
_ROUND_IT = 16 * 1024  # bytes that boundaries and headers of the one part may take
_BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")
_CURE = f"send one picture as multipart/form-data in the field {FIELD!r}"

# its warnings quote what came in
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


async def picture(request: Request, limits: Limits, guest: Guest) -> bytes:
    """Return the content of the one picture that a request carries.

    Raises HTTPException 400 (no whole form), 408 (too slow), 413 (too large), 415 (no picture),
    422 (another form), and limits.Busy where there is no memory for it.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise HTTPException(415, f"the request is no form: {_CURE}")
    most = int(limits.upload_mb * 2**20)
    claimed = request.headers.get("content-length", "0")
    if not claimed.isdigit() or int(claimed) > most + _ROUND_IT:
        raise _too_large(limits)
    form = _Form(most, guest)
    try:
        parser = MultipartParser(options.get(b"boundary", b""), form.callbacks())  # type: ignore[arg-type]
        async with asyncio.timeout(limits.upload_s):
            await _read(request, parser, most + _ROUND_IT)
    except TimeoutError:
        raise HTTPException(
            408, f"the upload took more than {limits.upload_s:g} s: try again"
        ) from None
    except FormParserError:
        raise HTTPException(400, f"the form can't be read: {_CURE}") from None
    except _TooLarge:
        raise _too_large(limits) from None
    content = form.only()
    if not _is_picture(content):
        raise HTTPException(
            415, "the file is no PNG, JPEG, BMP, TIFF, WebP or DICOM: send a picture"
        )
    return content


def _too_large(limits: Limits) -> HTTPException:
    return HTTPException(
        413, f"the picture is larger than {limits.upload_mb:g} MiB, the limit here"
    )


def _is_picture(content: bytes) -> bool:
    webp = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    return webp or content[128:132] == b"DICM" or content.startswith(_BEGINNINGS)


class _TooLarge(Exception):
    """More bytes came than are taken."""


async def _read(request: Request, parser: MultipartParser, most: int) -> None:
    """Hand the body to the parser as it comes; whatever the header claims, bytes are counted."""
    count, more = 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "the upload was given up")
        chunk, more = message.get("body", b""), message.get("more_body", False)
        count += len(chunk)
        if count > most:
            raise _TooLarge
        parser.write(chunk)


class _Form:
    """What the parser tells: the fields' names and the bytes of the picture."""

    def __init__(self, most: int, guest: Guest) -> None:
        self._most, self._guest = most, guest
        self._header, self._value = bytearray(), bytearray()
        self._field: bytes | None = None
        self._whole = False
        self._content = bytearray()

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_begin": self._begin_header,
            "on_header_field": lambda data, a, b: self._header.extend(data[a:b]),
            "on_header_value": lambda data, a, b: self._value.extend(data[a:b]),
            "on_header_end": self._end_header,
            "on_part_data": self._keep,
            "on_end": self._end,
        }

    def only(self) -> bytes:
        """Return the picture's bytes once the form is read."""
        if not self._whole:
            raise HTTPException(400, f"the form ends before its end: {_CURE}")
        if self._field != FIELD.encode():
            raise HTTPException(422, f"the form has no picture: {_CURE}")
        if not self._content:
            raise HTTPException(422, "the file is empty (0 bytes): choose another")
        return bytes(self._content)

    def _begin(self) -> None:
        if self._field is not None:  # at once: a million tiny parts would keep the service busy
            raise HTTPException(422, f"the form has several parts: {_CURE}")
        self._field = b""

    def _begin_header(self) -> None:
        self._header.clear()
        self._value.clear()

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            options = parse_options_header(self._value.decode("latin-1"))[1]
            self._field = options.get(b"name", b"")

    def _keep(self, data: bytes, start: int, end: int) -> None:
        if self._field == FIELD.encode():  # of another part nothing is kept
            if len(self._content) + end - start > self._most:
                raise _TooLarge
            self._guest.hold(end - start)
            self._content += data[start:end]

    def _end(self) -> None:
        self._whole = True
