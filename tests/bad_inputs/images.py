"""Images that are broken, no images, too large, or merely unusual; in a set of the reader `folder`."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests import dicom_files
from tests.bad_inputs import Bad
from tests.bad_inputs.pictures import (
    chest,
    chunk,
    halves,
    npy,
    patched,
    png,
    stored,
    tiff,
    write,
    zeros,
)  # fmt: skip

FILE = "normal/bad.png"


def good(root: Path) -> None:
    """Write two classes of two images."""
    for i, name in enumerate(("normal/0", "normal/1", "pneumonia/0", "pneumonia/1")):
        write(root / f"{name}.png", stored(chest(i)))


def _with(file: str, content: Callable[[], bytes], root: Path) -> None:
    good(root)
    write(root / file, content())


def _noted(
    name: str, words: str, content: Callable[[], bytes], *, heavy: bool = False, slow: bool = False
) -> Bad:
    return Bad(name=name, dataset="folder", make=partial(_with, FILE, content), file=FILE,
               fate="noted", words=words, heavy=heavy, slow=slow)  # fmt: skip


def _legal(
    name: str,
    content: Callable[[], bytes],
    *,
    file: str = FILE,
    heavy: bool = False,
    slow: bool = False,
    **values: Any,
) -> Bad:
    return Bad(name=name, dataset="folder", make=partial(_with, file, content), file=file,
               fate="legal", values=values, heavy=heavy, slow=slow)  # fmt: skip


def _found(name: str, finding: str, content: Callable[[], bytes], *, file: str = FILE) -> Bad:
    return Bad(name=name, dataset="folder", make=partial(_with, file, content), file=file,
               fate="found", words=finding)  # fmt: skip


def _cut(suffix: str, share: float = 0.6, **options: Any) -> bytes:
    content = stored(chest(), suffix, **options)
    return content[: int(len(content) * share)]


def _flipped(suffix: str, share: float, **options: Any) -> bytes:
    content = bytearray(stored(chest(), suffix, **options))
    content[int(len(content) * share)] ^= 0x40
    return bytes(content)


def _rgb() -> Image.Image:
    return Image.merge(
        "RGB", [Image.fromarray(halves(x, y)) for x, y in ((200, 0), (100, 0), (50, 255))]
    )


def _exif(suffix: str) -> bytes:
    note = Image.Exif()
    note[274] = 6  # turn by 90 degrees
    return stored(chest(), suffix, exif=note)


def _two(suffix: str, **options: Any) -> bytes:
    second = Image.fromarray(chest(9))
    return stored(chest(), suffix, save_all=True, append_images=[second], **options)


GREY_OF_RGB = (124, 29)  # of _rgb's halves, ITU-R BT.601

CUT = "is damaged .*get the file again"
LARGE = "claims .*pixels.* than the limit of .*take it out"
NO_IMAGE = r"is no PNG, JPEG, .*\(starts .*get the file again or take it out"

NOTED = [
    _noted("truncated PNG", CUT, partial(_cut, "png")),
    _noted("truncated JPEG", CUT, partial(_cut, "jpeg")),
    _noted("truncated WebP", CUT + "|" + NO_IMAGE, partial(_cut, "webp", lossless=True)),
    _noted("truncated TIFF", CUT + "|" + NO_IMAGE, partial(_cut, "tiff", compression="tiff_lzw")),
    _noted("truncated BMP", CUT, partial(_cut, "bmp")),
    _noted("flipped bit in a PNG", CUT, partial(_flipped, "png", 0.5)),
    _noted("flipped bit in a JPEG's marker", CUT, lambda: patched(stored(chest(), "jpeg"), b"\xff\xda", 1, b"\x5a")),
    _noted("JPEG that lacks its middle", r"damaged \(Corrupt JPEG data: premature", lambda: _hole(stored(chest(), "jpeg"))),
    _noted("flipped bit in a deflated TIFF", CUT, partial(_flipped, "tiff", 0.5, compression="tiff_adobe_deflate")),
    _noted("fax TIFF that libtiff mends in silence", r"damaged \(Fax4Decode", lambda: _fax()),
    _noted("zero bytes", r"is empty \(0 bytes\): get the file again", lambda: b""),
    _noted("web page for an image", NO_IMAGE, lambda: b"<!DOCTYPE html><title>Sign in</title>"),
    _noted("Git LFS pointer for an image", NO_IMAGE, lambda: b"version https://git-lfs.github.com/spec/v1\n"),
    _noted("GIF named PNG", NO_IMAGE, partial(stored, chest(), "gif")),
    _noted("only a signature", CUT, lambda: b"\x89PNG\r\n\x1a\n"),
    _noted("PNG without its end", CUT, lambda: stored(chest())[:-12]),
    _noted("PNG whose rows end too early", CUT, lambda: png(40, 40, pixels=zlib.compress(bytes(41 * 20)))),
    _noted("PNG without pixels", CUT, lambda: png(40, 40, pixels=b"")),
    _noted("PNG with an unknown colour type", CUT, lambda: png(40, 40, colour=5, pixels=zlib.compress(bytes(41 * 40)))),
    _noted("animated PNG", "is animated: save the X-ray alone", partial(_two, "png")),
    _noted("animated WebP", "holds several pictures: save the X-ray alone", partial(_two, "webp")),
    _noted("TIFF of two pages", "holds several pictures: save the X-ray alone", partial(_two, "tiff")),
    _noted("32-bit TIFF", "32 bits per pixel, .*save it with 8 or 16", partial(stored, Image.new("F", (40, 40), 0.5), "tiff")),
    _noted("TIFF without a size", "damaged .*get the file again", lambda: tiff(40, 40, zeros(2**20), _256=0)),
    _noted("BMP of no pixels", "(0 pixels|damaged|is no).*get the file again", lambda: patched(stored(chest(), "bmp"), b"BM", 18, bytes(8))),
    _noted("BMP with a broken palette", CUT, lambda: patched(stored(chest(), "bmp"), b"BM", 46, b"\xff\xff\xff\x7f")),
    _noted("PNG as wide as a street", "claims 70000 x 20 pixels.*65535 on a side.*take it out", lambda: png(70_000, 20, pixels=zlib.compress(bytes(70_001 * 20)))),
    _noted("array of fractions", "is an array float64 .*save it as uint8", partial(npy, np.zeros((40, 40)))),
    _noted("array of Python objects", "is an array object .*save it as uint8", partial(npy, np.array([[{}, {}]], dtype=object))),
    _noted("array of no rows", "has 40 x 0 pixels, none at all: get the file again", partial(npy, np.zeros((0, 40), np.uint8))),
    _noted("truncated array", "damaged .*its header promises 5760.*get the file again", lambda: npy(chest())[:-100]),
    _noted("array that claims more than there is", "damaged .*promises 56000000.*get the file", partial(npy, chest(), shape=(7000, 8000))),
    _noted("array with a broken header", CUT, lambda: npy(chest()).replace(b"(72, 80)", b"(72, 80(")),
]  # fmt: skip

HEAVY = [
    _noted("PNG of 49 KB and 30,000 px", LARGE, lambda: png(30_000, 13_500, depth=1, pixels=zeros(48 * 2**20)), heavy=True),
    _noted("PNG of 30,000 x 30,000 px", LARGE, lambda: png(30_000, 30_000, depth=1, pixels=zeros(108 * 2**20)), heavy=True),
    _noted("JPEG of 65,500 px", LARGE, lambda: patched(stored(chest(), "jpeg"), b"\xff\xc0", 5, struct.pack(">HH", 65_500, 65_500)), heavy=True),
    _noted("WebP of 16,383 px", LARGE, lambda: patched(stored(chest(), "webp", lossless=True), b"VP8L", 9, struct.pack("<I", 16_382 | 16_382 << 14)), heavy=True),
    _noted("TIFF of 30,000 px in one strip", LARGE, lambda: tiff(30_000, 30_000, zeros(2**20)), heavy=True),
    _legal("TIFF whose strip unpacks to far more than it needs", lambda: tiff(40, 40, zeros(600 * 2**20)), grey_max=0, heavy=True, slow=True),
    _noted("array that claims a terabyte", LARGE, partial(npy, chest(), shape=(10**6, 10**6)), heavy=True),
    _noted("PNG whose note unpacks to a gigabyte", CUT, lambda: png(40, 40, colour=2, pixels=zlib.compress(bytes(121 * 40)), more=chunk(b"zTXt", b"Comment\0\0" + zeros(1024 * 2**20))), heavy=True, slow=True),
    _legal("the largest colour PNG of 16 bits", lambda: png(8000, 8000, depth=16, colour=6, pixels=zeros(489 * 2**20)), width_px=8000, channels=4, grey_max=0, heavy=True, slow=True),
    _legal("the largest JPEG of four colours", lambda: stored(Image.new("CMYK", (8000, 8000)), "jpeg", progressive=True, subsampling=0), width_px=8000, channels=4, grey_min=255, heavy=True, slow=True),
    _legal("the largest WebP", lambda: stored(Image.new("RGB", (5656, 5656), (90, 90, 90)), "webp", lossless=True, method=0, quality=0), width_px=5656, grey_mean=90.0, heavy=True),
]  # fmt: skip


def _hole(content: bytes) -> bytes:
    start = content.index(b"\xff\xda") + 14
    return content[: start + 400] + content[-2:]


def _fax() -> bytes:
    content = stored(Image.fromarray(chest()).convert("1"), "tiff", compression="group4")
    return content[:60] + bytes([content[60] ^ 0x40]) + content[61:]


def _palette(**options: Any) -> bytes:
    return stored(Image.fromarray(halves()).convert("P"), "png", **options)


def _cmyk() -> bytes:
    return stored(Image.new("CMYK", (40, 40), (0, 0, 0, 55)), "jpeg", quality=100)


def _alpha(mode: str) -> bytes:
    bands = [Image.fromarray(halves())] * (len(mode) - 1) + [Image.new("L", (40, 40), 0)]
    return stored(Image.merge(mode, bands))


def _sixteen(colour: int) -> bytes:
    """Return 16 bits of which the high byte is 0x80, grey (0) or colour with alpha (6)."""
    pixel = b"\x80\xff" if colour == 0 else b"\x80\xff\x80\x00\x80\x01\0\0"
    return png(40, 40, depth=16, colour=colour, pixels=zlib.compress((b"\0" + pixel * 40) * 40))


TWO = {"grey_min": 64, "grey_max": 192, "grey_mean": 128.0}
LEGAL = [
    _legal("JPEG named PNG", partial(stored, chest(), "jpeg"), file_format="JPEG", width_px=80),
    _legal("PNG named JPEG in capitals", partial(stored, halves()), file="normal/BAD.JPG", file_format="PNG", **TWO),
    _legal("DICOM named PNG", dicom_files.make, file_format="DICOM", bit_depth=12),
    _legal("array named PNG", partial(npy, halves()), file_format="NPY", **TWO),
    _legal("16 bits", partial(_sixteen, 0), bit_depth=16, channels=1, grey_min=0x80, grey_max=0x80),
    _legal("16 bits of colour with alpha", partial(_sixteen, 6), bit_depth=16, channels=4, grey_min=0x80, grey_max=0x80),
    _legal("16-bit TIFF", partial(stored, halves(64 << 8, (192 << 8) + 255, np.uint16), "tiff"), bit_depth=16, **TWO),
    _legal("palette", _palette, channels=3, **TWO),
    _legal("palette with transparency", partial(_palette, transparency=b"\0" * 256), channels=3, **TWO),
    _legal("CMYK", _cmyk, channels=4, grey_min=200, grey_max=200),
    _legal("alpha", partial(_alpha, "RGBA"), channels=4, **TWO),
    _legal("grey with alpha", partial(_alpha, "LA"), channels=2, **TWO),
    _legal("colour", lambda: stored(_rgb()), channels=3, grey_min=GREY_OF_RGB[1], grey_max=GREY_OF_RGB[0]),
    _legal("one bit", lambda: stored(Image.fromarray(halves(0, 255)).convert("1")), bit_depth=1, grey_mean=127.5),
    _legal("JPEG that a camera wants turned", partial(_exif, "jpeg"), width_px=80, height_px=72),
    _legal("PNG that a camera wants turned", partial(_exif, "png"), width_px=80, height_px=72),
    _legal("JPEG with a preview behind it", partial(_two, "mpo"), file_format="JPEG", width_px=80),
    _legal("PNG with bytes behind its end", lambda: stored(halves()) + b"more", **TWO),
    _legal("TIFF of the other byte order", lambda: stored(halves(64 << 8, 192 << 8, np.dtype(">u2")), "tiff"), bit_depth=16, **TWO),
]  # fmt: skip

FOUND = [
    _found("constant image", "constant_image", partial(stored, halves(7, 7))),
    _found("thumbnail", "odd_size", partial(stored, chest()[:30, :30])),
    _found("coloured image", "colour_image", lambda: stored(_rgb())),
    _found("image stored twice", "identical_pixels", partial(stored, chest(0), compress_level=1)),
    _found("image in two classes", "identical_pixels_contradicting", partial(stored, chest(2), compress_level=1)),
    _found("image with a brighter copy", "near_duplicate", partial(stored, (chest(0) * 0.8 + 20).astype(np.uint8))),
    _found("truncated image", "unreadable", partial(_cut, "png")),
    _found("mask among the images", "mask_among_images", partial(stored, np.where(chest() > 120, 255, 0).astype(np.uint8))),
]  # fmt: skip

ALL = [*NOTED, *HEAVY, *LEGAL, *FOUND]
