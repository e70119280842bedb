"""What one cell of a data set's table means; what it can't mean is a ValueError for `column` to collect."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TypeVar

import pandas as pd

T = TypeVar("T")

UNKNOWN = ("", "nan", "na", "n/a", "unknown")
"""What stands for "not known", in small letters. Not `none`, which could mean "no finding"."""

NO_SOURCE = "unknown"

SPLITS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_SEXES = {"f": "F", "female": "F", "m": "M", "male": "M"}


def column(
    table: pd.DataFrame, name: str, parse: Callable[[str], T], faults: list[tuple[int, str]]
) -> list[T | None]:
    """Parse a column, None where a cell is faulty; what is wrong is added to `faults` with its line.

    A column that is not there is taken for one of empty cells.
    """
    if name not in table.columns:
        return [parse("")] * len(table)
    result: list[T | None] = []
    for line, cell in zip(table.index, table[name], strict=True):
        try:
            result.append(parse(cell.strip()))
        except ValueError as error:
            result.append(None)
            faults.append((int(line), f"{name} {cell.strip()!r} {error}"))
    return result


def label_name(text: str) -> str:
    """Return a label's name: small letters, with `_` for all that is neither letter nor digit."""
    return re.sub(r"[\W_]+", "_", text.lower()).strip("_")


def path(text: str) -> str:
    """Return a path below the data set's folder, with `/`, as `archives.members` writes it."""
    parts = text.split("/")
    if not text:
        raise ValueError("names no file")
    if text.startswith("/") or re.match(r"[A-Za-z]:", text):
        raise ValueError("is absolute: write it from the data set's folder on")
    if "\\" in text:
        raise ValueError("has a backslash: write /")
    if ".." in parts:
        raise ValueError("leaves the data set's folder")
    if any(ord(letter) < 32 for letter in text):
        raise ValueError("holds a line end or another control character")
    return "/".join(part for part in parts if part not in ("", "."))


def formula_free(text: str) -> str:
    """Return `text` unless a spreadsheet would run it (OWASP, "CSV injection")."""
    if text.startswith(("=", "+", "-", "@", "\t")):
        raise ValueError("begins as a spreadsheet's formula does, with = + - or @: rename it")
    return text


def source(text: str) -> str:
    """Return where an image was made; `unknown` if the cell does not say it, since no source is empty."""
    return NO_SOURCE if text.lower() in UNKNOWN else formula_free(text)


def age_years(text: str) -> float:
    """Return an age in years, NaN if unknown; whether a man can be that old is for validate to say."""
    if text.lower() in UNKNOWN:
        return math.nan
    try:
        age = float(text)
    except ValueError:
        age = math.nan
    if not math.isfinite(age) or "_" in text:
        raise ValueError("is no number of years: write 63, or nothing if it is unknown")
    return age


def sex(text: str) -> str:
    """Return F, M, or "" if unknown."""
    if text.lower() in UNKNOWN:
        return ""
    if text.lower() not in _SEXES:
        raise ValueError("is no sex: write F, M, or nothing if it is unknown")
    return _SEXES[text.lower()]


def view(text: str) -> str:
    """Return PA, AP or LATERAL, "" if unknown; `AP Supine` and other words after AP are AP."""
    word = text.upper()
    if word.lower() in UNKNOWN:
        return ""
    if word in ("L", "LL", "LAT", "LATERAL"):
        return "LATERAL"
    if word in ("PA", "AP") or word.startswith("AP "):
        return word[:2]
    raise ValueError("is no view: write PA, AP, LATERAL, or nothing if it is unknown")


def split(text: str) -> str:
    """Return train, val or test, "" for a row of no given split."""
    if text.lower() in UNKNOWN:
        return ""
    if text.lower() not in SPLITS:
        raise ValueError("is no split: write train, val, test or nothing")
    return SPLITS[text.lower()]
