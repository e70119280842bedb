"""places: where in a file two runs parted: the tensor and its element, the row and column, the key, or the byte.

Only what the formats' own headers say is used, so nothing numerical is imported.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import math
import struct
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}  # fmt: skip
_CODES = {
    "F64": "<d",
    "F32": "<f",
    "I64": "<q",
    "I32": "<i",
    "f8": "<d",
    "f4": "<f",
    "i8": "<q",
    "i4": "<i",
}


def first(name: str, recorded: bytes, made: bytes) -> str:
    """Say in words where the contents of a file part, by the kind that its name ends in."""
    if recorded == made:
        return "the contents are the same"
    try:
        words = _READERS.get(name.rpartition(".")[2], _no_words)(recorded, made)
    except (ValueError, KeyError, IndexError, TypeError, SyntaxError, struct.error):
        words = ""  # one of them is broken: that is the difference
    return words or f"byte {_offset(recorded, made)} of {len(recorded)} (made: {len(made)})"


def _no_words(_: bytes, __: bytes) -> str:
    return ""


def _offset(one: bytes, other: bytes) -> int:
    """Return the first place where they differ, or the length of the shorter."""
    if one[: len(other)] == other[: len(one)]:
        return min(len(one), len(other))
    low, high = 0, min(len(one), len(other))  # they part somewhere in low..high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if one[low:middle] != other[low:middle] else (middle, high)
    return low


def _tensors(recorded: bytes, made: bytes) -> str:
    """safetensors: eight bytes of length, a header of names with shapes and offsets, then the tensors."""
    (old, old_data), (new, new_data) = map(_header, (recorded, made))
    for name in sorted({*old, *new}):
        if old.get(name) is None or new.get(name) is None:
            return f"tensor {name}, which is only {'made' if name in new else 'recorded'}"
        if any(old[name][key] != new[name][key] for key in ("dtype", "shape")):
            return f"tensor {name}: shape {old[name]['shape']} recorded, {new[name]['shape']} made"
        one, other = (data[slice(*about[name]["data_offsets"])] for about, data in ((old, old_data), (new, new_data)))  # fmt: skip
        if one != other:
            return f"tensor {name}, {_element(one, other, old[name]['dtype'], old[name]['shape'])}"
    return ""


def _header(content: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    return header, content[8 + length :]


def _element(one: bytes, other: bytes, kind: str, shape: list[int]) -> str:
    """Say which element is the first to differ, how many do, and both values where Python can read them."""
    size = _SIZES.get(kind) or int(kind[1:])
    number = _offset(one, other) // size
    differ = sum(one[x : x + size] != other[x : x + size] for x in range(0, len(one), size))
    index, left = [], number
    for place in range(len(shape)):
        below = math.prod(shape[place + 1 :])
        index.append(left // below)
        left %= below
    words = f"element {index} ({differ} of {len(one) // size} differ)"
    if code := _CODES.get(kind):
        values = (struct.unpack_from(code, x, number * size)[0] for x in (one, other))
        words += ": {!r} recorded, {!r} made".format(*values)
    return words


def _array(recorded: bytes, made: bytes) -> str:
    """NumPy's .npy: a magic word, a header that is a Python literal, then the elements in C order."""
    (old, old_data), (new, new_data) = map(_npy, (recorded, made))
    if old != new:
        return f"header {old} recorded, {new} made"
    return _element(old_data, new_data, old["descr"].lstrip("<|"), list(old["shape"]))


def _npy(content: bytes) -> tuple[dict[str, Any], bytes]:
    wide = content[6] > 1
    length = int.from_bytes(content[8 : 12 if wide else 10], "little")
    start = 12 if wide else 10
    return ast.literal_eval(content[start : start + length].decode()), content[start + length :]


def _table(recorded: bytes, made: bytes) -> str:
    """CSV: the first row and its first column that differ."""
    old, new = (list(csv.reader(io.StringIO(x.decode()))) for x in (recorded, made))
    for row, (one, other) in enumerate(zip_longest(old, new)):
        if one is None or other is None:
            return f"row {row}, which is only {'recorded' if other is None else 'made'}"
        for column, (a, b) in enumerate(zip_longest(one, other)):
            if a != b:
                name = old[0][column] if column < len(old[0]) else str(column)
                return f"row {row}, column {name}: {a} recorded, {b} made"
    return ""


def _tree(recorded: bytes, made: bytes) -> str:
    """JSON: the first key, in the order of the file, whose value differs."""
    return next(_parted(json.loads(recorded), json.loads(made), ""), "")


def _parted(old: Any, new: Any, path: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(x for x in new if x not in old)]:
            yield from _parted(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list):
        for place, (one, other) in enumerate(zip_longest(old, new)):
            yield from _parted(one, other, f"{path}[{place}]")
    elif old != new:
        yield f"{path}: {old!r} recorded, {new!r} made"


_READERS: dict[str, Callable[[bytes, bytes], str]] = {
    "safetensors": _tensors, "npy": _array, "csv": _table, "json": _tree,
}  # fmt: skip
