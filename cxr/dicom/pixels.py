"""DICOM's pixel data to the stored values, strictly: what is not whole and of the size the header tells is refused.

Each transfer syntax has one codec, whichever others are installed: 8-bit JPEG and JPEG 2000 are
Pillow's (through pydicom, which undoes its scaling), lossless and 12-bit JPEG and RLE are
imagecodecs' (libjpeg-turbo). Not read are JPEG-LS (a broken stream keeps CharLS busy for ever), big
endian and deflated files (retired, or able to unpack to any size). The sizes inside a
compressed stream are compared with the header's before anything is unpacked.

DICOM PS3.5, section 8 and annex A (transfer syntaxes); ITU-T T.81, annex B (JPEG's markers).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from cxr.dicom.header import AGAIN, JPEG, JPEG_2000, NATIVE, RLE, Fault

PIXEL_LIMIT = 64_000_000
"""Twice what the finest detectors have (mammography, 50 µm); decoding them takes less than 1 GiB."""

GREY = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_OTHER = ("HSV", "ARGB", "CMYK", "YBR_PARTIAL_420", "YBR_PARTIAL_422", "XYB")


@dataclass(frozen=True, kw_only=True)
class Form:
    """How the header says that pixels are stored."""

    rows: int
    columns: int
    samples: int
    """1, or 3 for colour."""
    allocated: int
    """Bits of a cell: 8 or 16."""
    stored: int
    """Bits of a cell that hold the value."""
    high_bit: int
    """The highest of them, counted from 0."""
    signed: bool
    planar: bool
    """Colour as three pictures, not as a picture of threes."""
    photometric: str
    syntax: str
    """UID of the transfer syntax."""


def check(form: Form) -> None:
    """Raise Fault unless pixels of this form can be read, and are not too many."""
    if form.photometric not in GREY + COLOUR:
        kind = form.photometric if form.photometric in _OTHER else "unknown"
        raise Fault(
            f"has the photometric interpretation {kind}, read are {', '.join(GREY + COLOUR)}: "
            "convert it to MONOCHROME2"
        )
    if form.rows < 1 or form.columns < 1 or form.rows * form.columns > PIXEL_LIMIT:
        raise Fault(
            f"claims {form.columns} x {form.rows} pixels, the limit is {PIXEL_LIMIT}: "
            "no X-ray has that size; take it out"
        )
    if form.samples != (1 if form.photometric in GREY else 3):
        raise Fault(f"is {form.photometric} with {form.samples} samples per pixel: {AGAIN}")
    if form.allocated not in (8, 16) or (form.samples == 3 and form.allocated != 8):
        raise Fault(f"has {form.allocated} bits per sample, read are 8 and, of grey, 16: convert it to MONOCHROME2 with 16 bits")  # fmt: skip
    if not 1 <= form.stored <= form.high_bit + 1 <= form.allocated:
        raise Fault(
            f"stores {form.stored} bits up to bit {form.high_bit} in {form.allocated}, which "
            f"contradict one another: {AGAIN}"
        )


def is_native(form: Form) -> bool:
    """Say whether pixels of this form are not compressed."""
    return form.syntax in NATIVE


def cells(data: bytes, form: Form) -> np.ndarray:
    """Return uint8 or uint16 (H, W), the bits of each cell of one grey picture that passed `check`.

    The value may stand anywhere in the cell (`high_bit`); of compressed pixels it stands lowest.
    """
    if form.syntax in NATIVE:
        _check_length(data, form.rows * form.columns * form.allocated // 8)
        kind = np.dtype("<u2") if form.allocated == 16 else np.dtype(np.uint8)
        return np.frombuffer(data, kind, form.rows * form.columns).reshape(form.rows, form.columns)
    frame = _frame(data)
    if form.syntax in RLE:
        kind = np.dtype("<u2") if form.allocated == 16 else np.dtype(np.uint8)
        return _run_lengths(frame, form, kind).view(kind).reshape(form.rows, form.columns)
    found = _jpeg_2000_cells(data, frame, form) if form.syntax in JPEG_2000 else _jpeg_cells(frame, form)  # fmt: skip
    if found.shape != (form.rows, form.columns):
        raise Fault(f"holds a picture of another shape than its header tells: {AGAIN}")
    low, high = (-(1 << form.stored - 1), 1 << form.stored - 1) if found.dtype.kind == "i" else (0, 1 << form.stored)  # fmt: skip
    if found.min() < low or found.max() >= high:
        raise Fault(f"holds values of more than the {form.stored} bits that its header tells: {AGAIN}")  # fmt: skip
    return found.view(f"u{found.dtype.itemsize}")


def luma(data: bytes, form: Form) -> np.ndarray:
    """Return uint8 (H, W), the brightness (ITU-R BT.601) of one colour picture that passed `check`.

    DICOM's YBR_FULL has that brightness as its first sample (PS3.3, C.7.6.3.1.2).
    """
    shape = (form.rows, form.columns)
    if form.syntax in NATIVE and form.photometric == "YBR_FULL_422":
        _check_length(data, 2 * form.rows * form.columns)
        if form.columns % 2:
            raise Fault(f"is YBR_FULL_422 with an odd number of columns: {AGAIN}")
        pairs = np.frombuffer(data, np.uint8, 2 * form.rows * form.columns).reshape(-1, 4)
        return np.ascontiguousarray(pairs[:, :2]).reshape(shape)
    if form.syntax in NATIVE:
        _check_length(data, 3 * form.rows * form.columns)
        flat = np.frombuffer(data, np.uint8, 3 * form.rows * form.columns)
        threes = np.moveaxis(flat.reshape(3, *shape), 0, 2) if form.planar else flat.reshape(*shape, 3)  # fmt: skip
        return _brightness(threes, form)
    frame = _frame(data)
    if form.syntax in RLE:
        planes = _run_lengths(frame, form, np.dtype(np.uint8)).reshape(3, *shape)
        return _brightness(np.moveaxis(planes, 0, 2), form)
    return _compressed_luma(frame, form)


def _check_length(data: bytes, expected: int) -> None:
    """Refuse uncompressed pixels that are too few or too many; one byte may make the number even."""
    if len(data) not in (expected, expected + expected % 2):
        raise Fault(f"holds {len(data)} bytes of pixels, its header promises {expected}: {AGAIN}")


def _frame(data: bytes) -> bytes:
    """Return the one compressed picture, its fragments joined."""
    from pydicom import encaps

    try:
        return next(encaps.generate_frames(data, number_of_frames=1))
    except Exception as error:  # pydicom raises whatever its parser stumbles over
        raise _damaged(error) from None


def _damaged(error: Exception) -> Fault:
    return Fault(f"has pixels that can't be unpacked ({type(error).__name__}): {AGAIN}")


def _run_lengths(frame: bytes, form: Form, kind: np.dtype) -> np.ndarray:
    """Return uint8 (bytes,): imagecodecs never writes beyond the buffer, and says if it stays short."""
    import imagecodecs

    out = bytearray(form.rows * form.columns * form.samples * kind.itemsize)
    try:
        imagecodecs.dicomrle_decode(frame, kind.str, out=out)
    except Exception as error:
        raise _damaged(error) from None
    return np.frombuffer(out, np.uint8)


def _jpeg_cells(frame: bytes, form: Form) -> np.ndarray:
    process, precision = _check_jpeg(frame, form)
    try:
        if precision == 8 and process in (0xC0, 0xC1, 0xC2):
            return np.array(Image.open(io.BytesIO(frame), formats=("JPEG",)))
        import imagecodecs

        return imagecodecs.jpeg8_decode(frame)
    except Exception as error:
        raise _damaged(error) from None


def _check_jpeg(frame: bytes, form: Form) -> tuple[int, int]:
    """Return the JPEG process (its SOF marker) and the bits per sample; refuse another size or no end."""
    place = 2
    while place + 10 <= len(frame) and frame[place] == 0xFF:
        marker = frame[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            break
        # 0xFF may be repeated before a marker
        place += 1 if marker == 0xFF else 2 + int.from_bytes(frame[place + 2 : place + 4])
    else:
        raise Fault(f"holds no JPEG stream where its header promises one: {AGAIN}")
    rows, columns = (int.from_bytes(frame[place + i : place + i + 2]) for i in (5, 7))
    _check_size(rows, columns, form)
    if frame[place + 9] != form.samples:
        raise Fault(f"holds a JPEG of {frame[place + 9]} samples per pixel, its header tells {form.samples}: {AGAIN}")  # fmt: skip
    # libjpeg fills up what is missing at the end without an error
    if not frame[-16:].rstrip(b"\0").endswith(b"\xff\xd9"):
        raise Fault(f"holds a JPEG that breaks off: {AGAIN}")
    return marker, frame[place + 4]


def _check_size(rows: int, columns: int, form: Form) -> None:
    if (rows, columns) != (form.rows, form.columns):
        raise Fault(
            f"holds a compressed picture of {columns} x {rows} pixels, its header tells "
            f"{form.columns} x {form.rows}: {AGAIN}"
        )


def _jpeg_2000_cells(data: bytes, frame: bytes, form: Form) -> np.ndarray:
    from pydicom import pixels

    _open_jpeg_2000(frame, form).close()
    told: dict[str, Any] = {
        "rows": form.rows,
        "columns": form.columns,
        "samples_per_pixel": 1,
        "number_of_frames": 1,
        "bits_allocated": form.allocated,
        "bits_stored": form.stored,
        "pixel_representation": int(form.signed),
        "photometric_interpretation": form.photometric,
        "pixel_keyword": "PixelData",
    }
    try:
        decoder = pixels.get_decoder(form.syntax)
        found, _ = decoder.as_array(data, raw=True, decoding_plugin="pillow", **told)
    except Exception as error:
        raise _damaged(error) from None
    return found


def _open_jpeg_2000(frame: bytes, form: Form) -> Image.Image:
    """Return the picture with its header read and no pixel unpacked."""
    try:
        image = Image.open(io.BytesIO(frame), formats=("JPEG2000",))
    except Exception as error:
        raise _damaged(error) from None
    _check_size(image.height, image.width, form)
    return image


def _compressed_luma(frame: bytes, form: Form) -> np.ndarray:
    """Return the brightness of a colour JPEG (8 bits, not lossless) or JPEG 2000."""
    if form.syntax in JPEG:
        process, precision = _check_jpeg(frame, form)
        if precision != 8 or process not in (0xC0, 0xC1, 0xC2):
            raise Fault("is a lossless JPEG in colour: convert it to MONOCHROME2")
    try:
        if form.syntax in JPEG_2000:
            image = _open_jpeg_2000(frame, form)
        else:
            image = Image.open(io.BytesIO(frame), formats=("JPEG",))
            if "adobe_transform" not in image.info:
                # nothing in the stream says what the samples are: the header does
                image.draft("YCbCr", image.size)
        found = np.asarray(image)
    except Fault:
        raise
    except Exception as error:
        raise _damaged(error) from None
    if found.shape != (form.rows, form.columns, 3) or found.dtype != np.uint8:
        raise Fault(f"holds a picture of another shape than its header tells: {AGAIN}")
    first = image.mode == "YCbCr" or form.syntax in JPEG_2000
    if first and form.photometric in ("YBR_FULL", "YBR_FULL_422"):
        return np.ascontiguousarray(found[:, :, 0])
    return np.array(Image.fromarray(found, "RGB").convert("L"))


def _brightness(samples: np.ndarray, form: Form) -> np.ndarray:
    """Return uint8 (H, W) of uncompressed samples uint8 (H, W, 3)."""
    if form.photometric == "YBR_FULL":
        return np.ascontiguousarray(samples[:, :, 0])
    if form.photometric != "RGB":
        raise Fault(f"is {form.photometric} and not JPEG 2000: {AGAIN}")
    return np.array(Image.fromarray(np.ascontiguousarray(samples)).convert("L"))
