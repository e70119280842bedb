"""PNG, the format of the large collections: whole by its own checksums, and decoded in half of libpng's time.

PNG specification (W3C, third edition), section 5.3: a chunk is length, type, data, and the CRC-32 of
type and data. A file whose chunks are all right and end with IEND holds the bytes that were written.
"""

from __future__ import annotations

import zlib

import kornia_rs
import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PLAIN_GREY = bytes([8, 0, 0, 0, 0])  # of the header: 8 bits, grey, no interlacing


class Animated(Exception):
    """The file holds several pictures (APNG)."""


def header(content: bytes) -> bytes:
    """Return the header's 13 bytes; raise OSError unless every chunk is whole and the last is IEND."""
    view, place, kind, found = memoryview(content), len(SIGNATURE), b"", b""
    while place < len(content) and kind != b"IEND":
        length, kind = int.from_bytes(view[place : place + 4]), bytes(view[place + 4 : place + 8])
        end = place + 8 + length
        if end + 4 > len(content):
            raise OSError(f"breaks off inside a chunk at byte {place}")
        if zlib.crc32(view[place + 4 : end]) != int.from_bytes(view[end : end + 4]):
            raise OSError(f"wrong checksum of the chunk at byte {place}")
        if kind == b"acTL":
            raise Animated
        found = found or bytes(view[place + 8 : end])
        place = end + 4
    if kind != b"IEND" or len(found) != 13:
        raise OSError("its end is missing")
    return found


def size(head: bytes) -> tuple[int, int]:
    """Return width and height in pixels, as the header claims them."""
    return int.from_bytes(head[:4]), int.from_bytes(head[4:8])


def is_plain_grey(head: bytes) -> bool:
    """Say whether pixels are stored as 8-bit grey, row after row, so that nothing is converted."""
    return head[8:] == _PLAIN_GREY


def plain_grey(content: bytes, head: bytes) -> np.ndarray | None:
    """Decode a plain grey PNG whose chunks are whole to uint8 (H, W); None if libpng must judge it.

    A stream that is too short is refused. zlib's Adler-32 is not compared: what it could find beyond
    the chunks' checksums is damage that was there before the file was written.
    """
    width, height = size(head)
    try:
        return kornia_rs.io.decode_image_png_u8(content, (height, width), "mono")[..., 0]
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException:  # its exceptions have no class of their own, and a Rust panic is none
        return None
