"""DICOM: one file to one grey picture as a radiologist's screen shows it, and the few facts a reader needs.

Only the elements named here are read from a file: others, private ones too, never reach memory as
values, and no error says what an element holds about a person.
"""

from __future__ import annotations

import contextlib
import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from cxr.dicom import display, pixels
from cxr.dicom.header import AGAIN, Fault, Header, is_dicom, number, read, text

__all__ = ["Facts", "Picture", "decode", "facts", "is_dicom"]

_PICTURE = [
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation",
    "PlanarConfiguration", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept",
    "ModalityLUTSequence", "VOILUTSequence", "VOILUTFunction", "WindowCenter", "WindowWidth",
    "PixelData",
    *(f"{colour}PaletteColorLookupTable{part}" for colour in ("Red", "Green", "Blue")
      for part in ("Descriptor", "Data")),
]  # fmt: skip
_FACTS = [
    "PatientID", "PatientName", "PatientSex", "PatientAge", "PatientBirthDate", "AccessionNumber",
    "SOPInstanceUID", "Modality", "ViewPosition", "Laterality", "ImageLaterality",
    "PhotometricInterpretation",
]  # fmt: skip
_UNTOLD = 0xFFFFFFFF  # the length of pixels that end with a delimiter (PS3.5, 7.1.1)
_DAYS_IN = {"D": 1.0, "W": 7.0, "M": 365.25 / 12, "Y": 365.25}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A decoded picture and how it was stored."""

    grey: np.ndarray
    """uint8 (H, W)."""
    channels: int
    """Stored: 1 grey, 3 colour (palette, too)."""
    bit_depth: int
    """Stored bits per channel."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a reader may know of a header. What tells who the patient is stays out of its repr."""

    patient: str = field(repr=False)
    """PatientID as it stands there: to be replaced before it goes anywhere."""
    instance: str = field(repr=False)
    """SOPInstanceUID."""
    names: tuple[str, ...] = field(repr=False)
    """PatientID, the parts of PatientName, birth date and accession number, those that are there."""
    sex: str
    """F, M or empty."""
    age_years: float
    """NaN unknown."""
    view: str
    """PA, AP, LATERAL or empty."""
    modality: str
    """CR, DX, CT, … or empty."""
    laterality: str
    """L, R, B or empty."""
    photometric: str


def decode(content: bytes, *, name: str) -> Picture:
    """Decode the one picture of a DICOM file or raise ValueError that says what is wrong with `name`."""
    with _named(name):
        return _decode(read(content, _PICTURE))


def facts(content: bytes, *, name: str) -> Facts:
    """Return the facts of a DICOM file's header; raise ValueError if `name` has none that can be read."""
    with _named(name):
        return _facts(read(content, _FACTS))


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Name the file in every error; of pydicom's own only the kind, its words may quote the header."""
    try:
        with warnings.catch_warnings():
            # what is odd but whole is no fault, and the words may quote the header, too
            warnings.simplefilter("ignore")
            yield
    except Fault as error:
        raise ValueError(f"{name} {error}") from None
    except Exception as error:  # pydicom raises whatever its parser stumbles over
        raise ValueError(f"{name} can't be read ({type(error).__name__}): {AGAIN}") from None


def _facts(header: Header) -> Facts:
    parts = [text(header, x) for x in ("PatientID", "PatientBirthDate", "AccessionNumber")]
    parts += re.split(r"[\^=\s]+", text(header, "PatientName"))
    sex = text(header, "PatientSex").upper()
    return Facts(
        patient=parts[0],
        instance=text(header, "SOPInstanceUID"),
        names=tuple(part for part in parts if part),
        sex=sex if sex in ("F", "M") else "",
        age_years=_age_years(text(header, "PatientAge")),
        view=_view(text(header, "ViewPosition").upper()),
        modality=text(header, "Modality").upper(),
        laterality=(text(header, "ImageLaterality") or text(header, "Laterality")).upper(),
        photometric=text(header, "PhotometricInterpretation").upper(),
    )


def _age_years(text: str) -> float:
    """Return an age string (PS3.5, 6.2: 045Y, 018M, 003W, 010D; also without unit) in years."""
    match = re.fullmatch(r"(\d{1,3})([DWMY]?)", text.upper())
    if not match:
        return math.nan
    return round(int(match[1]) * _DAYS_IN[match[2] or "Y"] / _DAYS_IN["Y"], 4)


def _view(position: str) -> str:
    if position in ("LL", "RL", "LAT", "LATERAL"):
        return "LATERAL"
    return position if position in ("PA", "AP") else ""


def _decode(header: Header) -> Picture:
    frames = number(header, "NumberOfFrames", 1)
    if frames != 1:
        raise Fault(f"holds {frames:g} frames: save the X-ray alone")
    if "PixelData" not in header:
        raise Fault("holds no pixels (no PixelData): take it out or get the file again")
    form = _form(header)
    pixels.check(form)
    told = getattr(header.get_item("PixelData"), "length", _UNTOLD)
    data = header["PixelData"].value
    if not isinstance(data, bytes) or not data:
        raise Fault(f"holds no pixels (PixelData is empty): {AGAIN}")
    if told not in (_UNTOLD, len(data)):
        raise Fault(f"breaks off in its pixels ({len(data)} of {told} bytes): {AGAIN}")
    if form.samples == 3:
        return Picture(grey=pixels.luma(data, form), channels=3, bit_depth=form.stored)
    cells = pixels.cells(data, form)
    colour = form.photometric == "PALETTE COLOR"
    table = (display.palette if colour else display.table)(header, cells, form)
    grey = display.through(table, cells)
    return Picture(grey=grey, channels=3 if colour else 1, bit_depth=form.stored)


def _form(header: Header) -> pixels.Form:
    allocated = int(number(header, "BitsAllocated"))
    stored = int(number(header, "BitsStored", allocated))
    syntax = str(header.file_meta.TransferSyntaxUID)
    high_bit = int(number(header, "HighBit", stored - 1))
    return pixels.Form(
        rows=int(number(header, "Rows")),
        columns=int(number(header, "Columns")),
        samples=int(number(header, "SamplesPerPixel", 1)),
        allocated=allocated,
        stored=stored,
        high_bit=high_bit,
        signed=number(header, "PixelRepresentation", 0) == 1,
        planar=number(header, "PlanarConfiguration", 0) == 1,
        photometric=text(header, "PhotometricInterpretation").upper(),
        syntax=syntax,
    )
