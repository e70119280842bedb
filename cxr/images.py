"""One image file to one grey array, strictly: what can't be decoded whole and for certain is refused.

Pillow decodes, because cv2.imread returns a truncated JPEG as a full image (its missing part grey).
Grey from colour is ITU-R BT.601 in Pillow's integers; of 16 bits the high byte is kept, for colour
and grey alike; alpha is dropped. The content decides what a file is, not its name's ending, and a
camera's note on how to turn the picture (EXIF) is not followed.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
PIXEL_LIMIT = 100_000_000

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


def is_image(name: str) -> bool:
    """Say whether a file of this name is taken for an image."""
    return name.lower().endswith(SUFFIXES)


def decode(content: bytes, *, name: str) -> Decoded:
    """Decode `content` whole or raise ValueError that says what is wrong with the file `name`."""
    if not content:
        raise ValueError(f"{name} is empty (0 bytes): get the file again")
    try:
        with warnings.catch_warnings():
            # odd metadata makes Pillow warn; the size it warns about is checked below, strictly
            warnings.simplefilter("ignore")
            return _decode(content, name)
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"{name} {_fault(content, error)}") from None


def _decode(content: bytes, name: str) -> Decoded:
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        width, height = image.size
        if width * height > PIXEL_LIMIT:
            raise ValueError(f"{name} {_too_large(f'{width} x {height}')}")
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
            raise ValueError(f"{name} holds {image.n_frames} pictures: save the X-ray alone")  # type: ignore[attr-defined]
        channels, bit_depth = _channels(image, name), _bit_depth(image, content)
        grey = _grey(image)
    if image.format == "PNG":
        # loading forgives a bad checksum and a missing end; verify() reads every chunk's checksum
        Image.open(io.BytesIO(content), formats=("PNG",)).verify()
    return Decoded(grey=grey, channels=channels, bit_depth=bit_depth)


def _grey(image: Image.Image) -> np.ndarray:
    """Return uint8 (H, W); loading is what finds a truncated file."""
    if image.mode.startswith("I;16"):
        return (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
    if image.mode == "L":
        return np.array(image)
    if image.mode in ("1", "LA", "La"):
        return np.array(image.convert("L"))
    return np.array(image.convert("RGB").convert("L"))


def _channels(image: Image.Image, name: str) -> int:
    if image.mode in ("I", "F"):
        raise ValueError(
            f"{name} has 32 bits per pixel, which have no fixed black and white: "
            "save it with 8 or 16 bits"
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
        return _too_large("too large")
    if content[128:132] == b"DICM":
        return "is DICOM, which is not read here: convert it to PNG"
    if isinstance(error, Image.UnidentifiedImageError):
        return f"is no {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file (starts {content[:8]!r}): get the file again or take it out"
    return f"is damaged ({' '.join(str(error).split())}): get the file again"


def _too_large(size: str) -> str:
    return f"claims {size} pixels, more than the limit of {PIXEL_LIMIT}: no X-ray is that large; take it out"


def pixels_sha256(grey: np.ndarray) -> str:
    """Hash shape and pixels of uint8 (H, W): equal for files that decode to the same image."""
    height, width = grey.shape
    return hashlib.sha256(f"{height} x {width}\n".encode() + grey.tobytes()).hexdigest()


def difference_hash(grey: np.ndarray) -> str:
    """Return a 64-bit perceptual hash of uint8 (H, W), 16 hex digits: near images differ in few bits.

    Each bit says whether brightness rises between two neighbours of the image at 9 x 8 pixels
    (N. Krawetz, "Kind of like that", hackerfactor.com, 2013).
    """
    small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA)
    return np.packbits(small[:, 1:] > small[:, :-1]).tobytes().hex()
