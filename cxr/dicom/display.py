"""Stored values to grey values: one table of at most 65,536 entries, through which every pixel goes.

The order is that of DICOM PS3.3: stored values, modality LUT or rescale slope and intercept
(C.11.1), VOI LUT or window (C.11.2), inverted if MONOCHROME1 (C.7.6.3.1.2). Of several VOI LUTs or
windows the first counts, a VOI LUT before a window. Without either, unsigned 8 bits are shown as
they are, others from their smallest to their largest value, as dicom3tools' dctopgm8 and
cornerstone's computeAutoVoi do. Padding (C.7.5.1.1.2) counts for neither and is black. Computed in
float64 and rounded half up.
"""

from __future__ import annotations

import numpy as np

from cxr.dicom import pixels
from cxr.dicom.header import AGAIN, Fault, Header, first_item, number, numbers, text

_RESCALE_LIMIT = 1e9
"""Of slope and intercept; what is larger is no calibration."""


def _values(cells: np.ndarray, form: pixels.Form) -> np.ndarray:
    """Return int64 (256 or 65536,): the stored value that each pattern of a cell's bits stands for."""
    native = pixels.is_native(form)
    pattern = np.arange(1 << 8 * cells.itemsize)
    shift = form.high_bit + 1 - form.stored if native else 0
    value = (pattern >> shift) & ((1 << form.stored) - 1)
    return value - ((value >> (form.stored - 1)) << form.stored) if form.signed else value


def _used(cells: np.ndarray) -> np.ndarray:
    """Return bool (256 or 65536,): which patterns the picture has."""
    used = np.zeros(1 << 8 * cells.itemsize, bool)
    for rows in _blocks(cells):
        used[cells[rows]] = True
    return used


def through(table: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return uint8 (H, W): each cell as the table shows it."""
    grey = np.empty(cells.shape, np.uint8)
    for rows in _blocks(cells):
        grey[rows] = table[cells[rows]]
    return grey


def _blocks(cells: np.ndarray) -> list[slice]:
    """Cut a picture into rows of about four million cells: numpy needs 8 bytes for each that it looks up."""
    height, width = cells.shape
    step = max(1, 2**22 // width)
    return [slice(start, start + step) for start in range(0, height, step)]


def table(header: Header, cells: np.ndarray, form: pixels.Form) -> np.ndarray:
    """Return uint8 (256 or 65536,): the grey that each pattern of a cell's bits is shown as."""
    stored = _values(cells, form)
    padding = _padding(header, stored, form)
    values = _modality(header, stored)
    shown = _window(header, values)
    if shown is None and form.stored <= 8 and not form.signed and np.array_equal(values, stored):
        shown = values / ((1 << form.stored) - 1)
    elif shown is None:
        seen = values[_used(cells) & ~padding]
        low, high = (seen.min(), seen.max()) if seen.size else (0.0, 0.0)
        shown = np.clip((values - low) / ((high - low) or 1.0), 0, 1)
    grey = np.floor(255 * np.clip(shown, 0, 1) + 0.5)
    if form.photometric == "MONOCHROME1":
        grey = 255 - grey
    return np.where(padding, 0, grey).astype(np.uint8)


def _padding(header: Header, stored: np.ndarray, form: pixels.Form) -> np.ndarray:
    """Return bool: which values only fill up what the detector did not see."""
    ends = numbers(header, "PixelPaddingValue")[:1]
    if not ends:
        return np.zeros(stored.shape, bool)
    ends += numbers(header, "PixelPaddingRangeLimit")[:1]
    if form.signed:
        # written as unsigned by some
        ends = [end - 65536 if end > 32767 else end for end in ends]
    return (stored >= min(ends)) & (stored <= max(ends))


def _modality(header: Header, stored: np.ndarray) -> np.ndarray:
    """Return float64: each stored value through the modality LUT, or rescaled."""
    item = first_item(header, "ModalityLUTSequence")
    if item is not None:
        return _lookup(item, "LUT", stored.astype(float))[0]
    slope, intercept = number(header, "RescaleSlope", 1), number(header, "RescaleIntercept", 0)
    if slope == 0 or max(abs(slope), abs(intercept)) > _RESCALE_LIMIT:
        raise Fault(f"is rescaled by {slope:g} and {intercept:g}, which leaves no X-ray: {AGAIN}")
    return slope * stored + intercept


def _window(header: Header, values: np.ndarray) -> np.ndarray | None:
    """Return float64 in 0 to 1: values through the first VOI LUT or window; None if there is neither."""
    item = first_item(header, "VOILUTSequence")
    if item is not None:
        shown, bits = _lookup(item, "LUT", values)
        return np.clip(shown / ((1 << bits) - 1), 0, 1)
    centres, widths = numbers(header, "WindowCenter"), numbers(header, "WindowWidth")
    if not centres or not widths:
        return None
    centre, width = float(np.clip(centres[0], -1e15, 1e15)), widths[0]
    kind = text(header, "VOILUTFunction").upper() or "LINEAR"
    if width <= 0 or (kind == "LINEAR" and width < 1):
        raise Fault(f"has a window of the width {width:g}: {AGAIN}, or remove its window")
    if kind == "LINEAR" and width == 1:
        return (values > centre - 0.5).astype(float)
    if kind == "LINEAR":
        return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)
    if kind == "LINEAR_EXACT":
        return np.clip((values - centre) / width + 0.5, 0, 1)
    if kind == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    raise Fault(f"has a VOILUTFunction that is not LINEAR, LINEAR_EXACT or SIGMOID: {AGAIN}")


def _lookup(item: Header, keyword: str, values: np.ndarray) -> tuple[np.ndarray, int]:
    """Return float64 entries of a lookup table for `values`, and the bits of an entry (PS3.3, C.11.1.1).

    Values below the first entry take the first, values above the last take the last.
    """
    descriptor = [int(x) for x in numbers(item, f"{keyword}Descriptor")]
    if len(descriptor) != 3 or not 8 <= descriptor[2] <= 16:
        raise Fault(f"has a broken {keyword}Descriptor: {AGAIN}")
    count, first, bits = descriptor[0] or 65536, descriptor[1], descriptor[2]
    if first > 32767 and values.min() < 0:
        first -= 65536
    entries = _entries(item, f"{keyword}Data", count)
    place = np.clip(np.floor(values) - first, 0, count - 1).astype(np.int64)
    return np.minimum(entries[place], (1 << bits) - 1).astype(float), bits


def _entries(item: Header, keyword: str, count: int) -> np.ndarray:
    """Return int64 (count,), the entries of a lookup table; they may be packed as bytes."""
    value = item.get(keyword)
    if isinstance(value, bytes) and len(value) in (count, 2 * count, count + count % 2):
        kind = "<u2" if len(value) == 2 * count else "u1"
        return np.frombuffer(value, kind)[:count].astype(np.int64)
    entries = np.array(numbers(item, keyword) if not isinstance(value, bytes) else [])
    if len(entries) != count:
        raise Fault(f"has a {keyword} without its {count} entries: {AGAIN}")
    return entries.astype(np.int64)


def palette(header: Header, cells: np.ndarray, form: pixels.Form) -> np.ndarray:
    """Return uint8 (256 or 65536,): the brightness (ITU-R BT.601) of each entry of a palette."""
    from PIL import Image

    stored = _values(cells, form).astype(float)
    colours = []
    for name in ("Red", "Green", "Blue"):
        entries, bits = _lookup(header, f"{name}PaletteColorLookupTable", stored)
        colours.append(np.floor(255 * entries / ((1 << bits) - 1) + 0.5).astype(np.uint8))
    return np.array(Image.fromarray(np.stack(colours, axis=-1)[None]).convert("L"))[0]
