"""One image file to one grey array, strictly: what can't be decoded whole and for certain is refused.

Pillow decodes, because cv2.imread returns a truncated JPEG as a full image (its missing part grey).
PNG is the other way round: Pillow fills up what a too short stream leaves open, OpenCV (libpng)
refuses it, so every PNG goes through OpenCV too; plain grey ones, whose pixels need no conversion,
through cxr.png alone. Grey from colour is ITU-R BT.601 in Pillow's integers; of 16 bits
the high byte is kept, for colour and grey alike; alpha is dropped. The content decides what a file
is, not its name's ending, and a camera's note on how to turn the picture (EXIF) is not followed.

LIMIT. PNG has checksums; JPEG, WebP, TIFF and BMP have none, so a changed byte among their pixels may
decode to other pixels without a word. Of JPEG some are found: libjpeg says when the data end too
early, which Pillow passes over. Of a file with two JPEG pictures (MPO) the first counts.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from cxr import png

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".dcm", ".dicom")
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
PIXEL_LIMIT = 64_000_000
"""A film of 35 x 43 cm scanned at 50 µm has 60 million; in colour that many fit into 1 GiB, decoded."""
WEBP_PIXEL_LIMIT = PIXEL_LIMIT // 2
"""Pillow takes 16 bytes for a pixel of WebP, whether it is grey or not."""
SIDE_LIMIT_PX = 65_535
THUMBNAIL_PX = 32
_ROW_OF_AN_ARRAY = re.compile(r"\.npz/.+/\d{6,}$")  # as cxr.archives names them
_NPY = b"\x93NUMPY"
_BEGINNINGS = (png.SIGNATURE, b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*", b"RIFF")
_STRIP_PIXELS = 2**22

cv2.setNumThreads(1)  # speed comes from processes; threads of each would only stand in their way


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A decoded image and how it was stored."""

    grey: np.ndarray
    """uint8 (H, W)."""
    channels: int
    """Stored: 1 grey, 2 grey with alpha, 3 colour (palette, too), 4 colour with alpha or CMYK."""
    bit_depth: int
    """Stored bits per channel."""
    file_format: str
    """PNG, JPEG, BMP, TIFF, WEBP, DICOM or NPY."""


def is_image(name: str) -> bool:
    """Say whether a file of this name is taken for an image."""
    return name.lower().endswith(SUFFIXES) or bool(_ROW_OF_AN_ARRAY.search(name))


class _Refused(ValueError):
    """An image is whole, but nothing to take; says why and the cure, without the file's name."""


def decode(content: bytes, *, name: str) -> Decoded:
    """Decode `content` whole or raise ValueError that says what is wrong with the file `name`."""
    if not content:
        raise ValueError(f"{name} is empty (0 bytes): get the file again")
    if is_dicom(content):
        return _dicom(content, name)
    try:
        with warnings.catch_warnings():
            # odd metadata makes Pillow warn; the size it warns about is checked below, strictly
            warnings.simplefilter("ignore")
            return _decode(content)
    except png.Animated:
        raise ValueError(f"{name} is animated: save the X-ray alone") from None
    except (_Refused, MemoryError) as error:
        raise type(error)(f"{name} {error}") from None
    except Exception as error:  # broken files make decoders stumble in every way there is
        raise ValueError(f"{name} {_fault(content, error)}") from None


def _dicom(content: bytes, name: str) -> Decoded:
    from cxr import dicom  # pydicom takes a while to load

    found = dicom.decode(content, name=name)
    return Decoded(
        grey=found.grey, channels=found.channels, bit_depth=found.bit_depth, file_format="DICOM"
    )


def _decode(content: bytes) -> Decoded:
    if content.startswith(_NPY):
        return _array(content)
    if content.startswith(png.SIGNATURE):
        head = png.header(content)
        if png.is_plain_grey(head):
            _check_size(*png.size(head))
            quick = png.plain_grey(content, head)
            grey = _png_grey(content) if quick is None else quick
            return Decoded(grey=grey, channels=1, bit_depth=8, file_format="PNG")
    return _by_pillow(content)


def is_dicom(content: bytes) -> bool:
    """Say whether a file's content is DICOM."""
    return content[128:132] == b"DICM"


def _check_size(width: int, height: int, limit: int = PIXEL_LIMIT) -> None:
    if width < 1 or height < 1:
        raise _Refused(f"has {width} x {height} pixels, none at all: get the file again")
    if width * height > limit or max(width, height) > SIDE_LIMIT_PX:
        raise _Refused(
            f"claims {width} x {height} pixels, more than the limit of {limit} in all and "
            f"{SIDE_LIMIT_PX} on a side: no X-ray is that large; take it out"
        )


def _by_opencv(content: bytes) -> tuple[np.ndarray | None, list[str]]:
    """Return uint8 (H, W), or None, and what libpng or libjpeg say."""
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
    with _heard() as words, contextlib.suppress(cv2.error):
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags), words
    return None, words


def _png_grey(content: bytes) -> np.ndarray:
    """Decode a PNG with libpng, which refuses a stream that is too short; OSError if it does."""
    grey, words = _by_opencv(content)
    if grey is None:
        raise OSError(next(iter(words), "its pixels can't be unpacked"))
    return grey


def _check_jpeg(content: bytes) -> None:
    """Raise OSError if libjpeg misses data; a few bytes too many before the end harm nothing."""
    words = [line for line in _by_opencv(content)[1] if line.startswith("Corrupt JPEG data")]
    if words and not words[0].endswith("extraneous bytes before marker 0xd9"):
        raise OSError(words[0])


@contextlib.contextmanager
def _heard() -> Iterator[list[str]]:
    """Keep what C libraries print of a broken file from stderr, where it names no file; yield the lines."""
    lines: list[str] = []
    kept, (here, there) = os.dup(2), os.pipe()
    os.set_blocking(there, False)  # a library that prints more than a pipe holds must not wait
    try:
        os.dup2(there, 2)
        yield lines
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(there)
        with os.fdopen(here, "rb") as said:
            lines += said.read().decode(errors="replace").splitlines()


def _array(content: bytes) -> Decoded:
    """Take the bytes of an .npy file: uint8 (H, W), or (H, W, 3) for colour."""
    stream = io.BytesIO(content)
    old = np.lib.format.read_magic(stream) == (1, 0)
    read = np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
    shape, columns_first, kind = read(stream)
    colour = len(shape) == 3 and shape[2] == 3
    if kind != np.uint8 or not (len(shape) == 2 or colour):
        raise _Refused(
            f"is an array {kind} {shape}: save it as uint8 (height, width) or (height, width, 3)"
        )
    _check_size(shape[1], shape[0])
    # from the bytes that are there: np.load makes room for as many as the header claims
    image = np.frombuffer(content, np.uint8, offset=stream.tell())
    if image.size != math.prod(shape):
        raise OSError(f"{image.size} bytes of pixels, its header promises {math.prod(shape)}")
    image = image.reshape(shape, order="F" if columns_first else "C")
    grey = _grey(Image.fromarray(image)) if colour else image.copy()
    return Decoded(grey=grey, channels=3 if colour else 1, bit_depth=8, file_format="NPY")


def _by_pillow(content: bytes) -> Decoded:
    with _heard() as words:
        decoded = _load(content)
    if decoded.file_format == "PNG":
        _png_grey(content)
    if decoded.file_format == "JPEG":
        _check_jpeg(content)
    if errors := [line for line in words if ": Warning, " not in line]:
        raise OSError(errors[0])  # libtiff says what is wrong, fills up, and goes on
    return decoded


def _load(content: bytes) -> Decoded:
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        webp, two_jpegs = image.format == "WEBP", image.format == "MPO"
        _check_size(*image.size, limit=WEBP_PIXEL_LIMIT if webp else PIXEL_LIMIT)
        # not n_frames: it goes through all pages of a TIFF, which may be millions
        if getattr(image, "is_animated", False) and not two_jpegs:
            raise _Refused("holds several pictures: save the X-ray alone")
        channels, bit_depth = _channels(image), _bit_depth(image, content)
        file_format = "JPEG" if two_jpegs else str(image.format)
        return Decoded(
            grey=_grey(image), channels=channels, bit_depth=bit_depth, file_format=file_format
        )


def _grey(image: Image.Image) -> np.ndarray:
    """Return uint8 (H, W); loading is what finds a truncated file."""
    if image.mode.startswith("I;16"):
        return (np.asarray(image) >> 8).astype(np.uint8)
    if image.mode == "L":
        return np.array(image)
    image.load()
    grey = np.empty((image.height, image.width), np.uint8)
    step = max(1, _STRIP_PIXELS // image.width)  # strips: the whole would be in memory twice
    for top in range(0, image.height, step):
        end = min(top + step, image.height)
        grey[top:end] = _strip(image.crop((0, top, image.width, end)))
    return grey


def _strip(image: Image.Image) -> np.ndarray:
    if image.mode not in ("1", "LA", "La", "RGB"):
        image = image.convert("RGB")
    return np.asarray(image.convert("L"))


def _channels(image: Image.Image) -> int:
    if image.mode in ("I", "F"):
        raise _Refused(
            "has 32 bits per pixel, which have no fixed black and white: save it with 8 or 16 bits"
        )
    return 3 if image.mode.startswith("P") else len(image.getbands())


def _bit_depth(image: Image.Image, content: bytes) -> int:
    """Return the stored bits per channel, which Pillow's mode does not tell (it reads RGB as 8)."""
    if image.mode.startswith("P"):
        return 8
    if image.format == "PNG":
        return content[24]  # the header chunk: 8 signature, 8 chunk head, 4 width, 4 height
    if image.format == "TIFF":
        return int(image.tag_v2.get(258, (1,))[0])  # type: ignore[attr-defined]
    return 1 if image.mode == "1" else 8


def _fault(content: bytes, error: Exception) -> str:
    """Say what is wrong with undecodable content, and the cure."""
    if isinstance(error, Image.DecompressionBombError):
        return f"claims far more pixels than the limit of {PIXEL_LIMIT}: no X-ray is that large; take it out"
    if isinstance(error, Image.UnidentifiedImageError) and content.startswith(_BEGINNINGS):
        return (
            f"is damaged (its header can't be read, it starts {content[:8]!r}): get the file again"
        )
    if isinstance(error, Image.UnidentifiedImageError):
        return f"is no {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file (starts {content[:8]!r}): get the file again or take it out"
    kind = "" if isinstance(error, (OSError, ValueError)) else f"{type(error).__name__}: "
    return f"is damaged ({kind}{' '.join(str(error).split())[:200]}): get the file again"


def pixels_sha256(grey: np.ndarray) -> str:
    """Hash shape and pixels of uint8 (H, W): equal for files that decode to the same image."""
    height, width = grey.shape
    digest = hashlib.sha256(f"{height} x {width}\n".encode())
    digest.update(np.ascontiguousarray(grey).data)
    return digest.hexdigest()


def thumbnail(grey: np.ndarray) -> np.ndarray:
    """Return uint8 (32, 32): the whole image of uint8 (H, W), averaged over areas."""
    size = (THUMBNAIL_PX, THUMBNAIL_PX)
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def difference_hash(small: np.ndarray) -> str:
    """Return a 64-bit perceptual hash of a thumbnail, 16 hex digits: near images differ in few bits.

    Each bit says whether brightness rises between two neighbours of the image at 9 x 8 pixels
    (N. Krawetz, "Kind of like that", hackerfactor.com, 2013); those come from the thumbnail, which
    is made anyway, and not from a second pass over the image.
    """
    tiny = cv2.resize(small, (9, 8), interpolation=cv2.INTER_AREA)
    return np.packbits(tiny[:, 1:] > tiny[:, :-1]).tobytes().hex()
