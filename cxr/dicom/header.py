"""The header of a DICOM file: its named elements, as text and numbers, with nothing believed."""

from __future__ import annotations

import io
import math
import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import pydicom

Header: TypeAlias = "pydicom.Dataset"
AGAIN = "get the file again"

NATIVE = {
    "1.2.840.10008.1.2": "Implicit VR Little Endian",
    "1.2.840.10008.1.2.1": "Explicit VR Little Endian",
}
JPEG = {
    "1.2.840.10008.1.2.4.50": "JPEG Baseline",
    "1.2.840.10008.1.2.4.51": "JPEG Extended",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless, first-order prediction",
}
JPEG_2000 = {
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
}
RLE = {"1.2.840.10008.1.2.5": "RLE Lossless"}
SYNTAXES = NATIVE | JPEG | JPEG_2000 | RLE
"""Names of the transfer syntaxes that are read, by their UID."""


class Fault(ValueError):
    """What is wrong with a file and the cure, in words of ours: the name is still to be put before them."""


def is_dicom(content: bytes) -> bool:
    """Say whether `content` is a DICOM file (PS3.10, 7.1): 128 bytes of anything, then DICM.

    Files without that preamble, which some old machines wrote, can't be told from other files.
    """
    return content[128:132] == b"DICM"


def read(content: bytes, keywords: list[str]) -> Header:
    """Read these elements and no others."""
    if not is_dicom(content):
        raise Fault(f"is no DICOM file (DICM is missing at byte 128): {AGAIN}")
    if _syntax(content) not in SYNTAXES:
        # before the file is read, because a deflated one could unpack to any size
        raise Fault(
            f"has the transfer syntax {_syntax(content) or 'none'}, read are "
            f"{', '.join(SYNTAXES.values())}: convert it to Explicit VR Little Endian "
            "(dcmconv, dcmdjpls or gdcmconv --raw)"
        )
    import pydicom

    # pydicom would print the odd values that it warns of, and those may name a patient
    pydicom.config.logger.disabled = True
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    try:
        return pydicom.dcmread(
            io.BytesIO(content),
            specific_tags=list(keywords),
            stop_before_pixels="PixelData" not in keywords,
        )
    except Exception as error:  # pydicom raises whatever its parser stumbles over
        raise Fault(f"can't be read ({type(error).__name__}): {AGAIN}") from None


def _syntax(content: bytes) -> str:
    """Return the UID of the transfer syntax, (0002,0010), from the file's meta information (PS3.10, 7.1)."""
    place, uid = 132, ""
    while content[place : place + 2] == b"\x02\x00":
        long = content[place + 4 : place + 6] in (b"OB", b"UN", b"OW", b"SQ", b"UT")
        start = place + (12 if long else 8)
        length = int.from_bytes(content[place + (8 if long else 6) : start], "little")
        if content[place + 2 : place + 4] == b"\x10\x00":  # of several the last, as pydicom has it
            uid = content[start : start + length].rstrip(b"\0 ").decode("ascii", "replace")
        place = start + length
    return uid if re.fullmatch(r"[0-9.]{1,64}", uid) else ""


def text(header: Header, keyword: str) -> str:
    """Return an element as text; empty if it is missing or can't be read."""
    try:
        value = header.get(keyword)
        return "" if value is None else str(value).strip(" \0")
    except Exception:  # whatever a broken element does to pydicom, here it means unknown
        return ""


def numbers(header: Header, keyword: str) -> list[float]:
    """Return an element's numbers, none if it is missing or empty."""
    try:
        value = header.get(keyword)
        if value is None or (isinstance(value, str) and not value.strip()):
            return []
        several = not isinstance(value, (str, bytes, int, float))
        found = [float(x) for x in (value if several else [value])]
    except Exception:
        raise Fault(f"has a {keyword} that is no number: {AGAIN}") from None
    if not all(math.isfinite(x) for x in found):
        raise Fault(f"has a {keyword} that is no finite number: {AGAIN}")
    return found


def number(header: Header, keyword: str, default: float | None = None) -> float:
    """Return an element's first number."""
    found = numbers(header, keyword)
    if not found and default is None:
        raise Fault(f"lacks {keyword}: {AGAIN}")
    return found[0] if found else float(default or 0)


def first_item(header: Header, keyword: str) -> Header | None:
    """Return the first item of a sequence, None if there is none."""
    try:
        sequence = header.get(keyword)
        return sequence[0] if sequence else None
    except Exception:
        raise Fault(f"has a {keyword} that can't be read: {AGAIN}") from None
