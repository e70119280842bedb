"""Tests of cxr.png: what whole means, the pixels of libpng, and what is left to libpng."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from cxr import png, seeding

GREY = seeding.stream(0, "png").integers(0, 256, (37, 53), dtype=np.uint8)


def stored(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="png")
    return buffer.getvalue()


def built(*chunks):
    """Return a PNG of these (type, data), each with its right checksum."""
    made = [
        struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks
    ]
    return png.SIGNATURE + b"".join(made)


def rows(image, filters):
    """Return the packed rows of an image, each with its filter's number (0 to 4) in front."""
    height, width = image.shape
    lines, above = [], np.zeros(width, np.int64)
    for y in range(height):
        row = image[y].astype(np.int64)
        left, corner = np.r_[0, row[:-1]], np.r_[0, above[:-1]]
        guess = left + above - corner
        near = np.stack([abs(guess - left), abs(guess - above), abs(guess - corner)])
        paeth = np.choose(near.argmin(axis=0), [left, above, corner])
        kind = filters[y % len(filters)]
        base = [0, left, above, (left + above) // 2, paeth][kind]
        lines.append(bytes([kind]) + ((row - base) % 256).astype(np.uint8).tobytes())
        above = row
    return zlib.compress(b"".join(lines))


def plain(data, width=53, height=37):
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return built((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))


@pytest.mark.parametrize("filters", [[0], [1], [2], [3], [4], [4, 2, 0, 1, 3]])
def test_every_filter_gives_the_pixels_of_libpng(filters):
    content = plain(rows(GREY, filters))
    found = png.plain_grey(content, png.header(content))
    assert np.array_equal(found, GREY)
    libpng = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(libpng, GREY)


def test_plain_grey_is_told_from_the_rest():
    assert png.is_plain_grey(png.header(stored(GREY)))
    assert png.size(png.header(stored(GREY))) == (53, 37)
    for other in (np.dstack([GREY] * 3), GREY > 9, GREY.astype(np.uint16) * 257):
        assert not png.is_plain_grey(png.header(stored(other)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage",
        zlib.compress(b"\0" * 1000),
        rows(GREY, [0])[:-200],
        zlib.compress(b"\x09" * 2000),
    ],
    ids=["empty", "garbage", "short rows", "short stream", "unknown filter"],
)
def test_what_can_not_be_unpacked_is_left_to_libpng(data):
    content = plain(data)
    assert png.plain_grey(content, png.header(content)) is None


def test_every_flipped_bit_is_noticed():
    whole = stored(GREY[:5, :7])
    for bit in range(8 * len(png.SIGNATURE), 8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises((OSError, png.Animated)):
            png.header(bytes(flipped))


def test_every_cut_is_noticed():
    whole = stored(GREY[:5, :7])
    for length in range(len(png.SIGNATURE), len(whole)):
        with pytest.raises(OSError):
            png.header(whole[:length])


def test_animation_is_noticed():
    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    with pytest.raises(png.Animated):
        png.header(built((b"IHDR", head), (b"acTL", bytes(8)), (b"IEND", b"")))
