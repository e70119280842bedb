"""Small pictures as files of every format, good ones and bent ones."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from cxr import seeding


@functools.cache
def chest(number: int = 0) -> np.ndarray:
    """Return uint8 (72, 80), another smooth picture for each number."""
    noise = seeding.stream(0, "bad inputs", number).integers(0, 256, (72, 80), dtype=np.uint8)
    smooth = cv2.GaussianBlur(noise, (31, 31), 7)
    return cv2.normalize(smooth, None, 10, 240, cv2.NORM_MINMAX)  # type: ignore[call-overload]


def halves(left: int = 64, right: int = 192, kind: Any = np.uint8) -> np.ndarray:
    """Return (40, 40) of two values."""
    picture = np.full((40, 40), left, kind)
    picture[:, 20:] = right
    return picture


def stored(picture: np.ndarray | Image.Image, suffix: str = "png", **options: Any) -> bytes:
    """Return a picture in a format of Pillow."""
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    file = io.BytesIO()
    image.save(file, format=suffix, **options)
    return file.getvalue()


def write(path: Path, content: bytes) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(
    width: int, height: int, *, depth: int = 8, colour: int = 0, pixels: bytes, more: bytes = b""
) -> bytes:
    """Return a PNG of which only the checksums are surely right; `pixels` packed, `more` chunks before them."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + more + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@functools.cache
def zeros(length: int) -> bytes:
    """Return a zlib stream of so many zeros (a multiple of a MiB), made without ever holding them."""
    packer = zlib.compressobj(9)
    packed = [packer.compress(bytes(2**20)) for _ in range(length // 2**20)]
    return b"".join(packed) + packer.flush()


def patched(content: bytes, mark: bytes, offset: int, new: bytes) -> bytes:
    """Return `content` with `new` at so many bytes behind the beginning of the first `mark`."""
    place = content.index(mark) + offset
    return content[:place] + new + content[place + len(new) :]


def tiff(width: int, height: int, strip: bytes, **tags: int) -> bytes:
    """Return a grey TIFF of one deflated strip, whatever its header claims."""
    entries = {
        256: width,
        257: height,
        258: 8,
        259: 8,
        262: 1,
        273: 8,
        277: 1,
        278: height,
        279: len(strip),
    }
    entries |= {int(name[1:]): value for name, value in tags.items()}
    rows = b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items())
    )
    directory = struct.pack("<H", len(entries)) + rows + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + directory


def npy(array: np.ndarray, **header: Any) -> bytes:
    """Return the bytes of an .npy file, with what its header shall claim instead."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=array.dtype.hasobject)
    if not header:
        return file.getvalue()
    claim = {"descr": "|u1", "fortran_order": False, "shape": array.shape} | header
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, claim)
    return file.getvalue() + array.tobytes()
