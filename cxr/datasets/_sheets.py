"""A spreadsheet's first sheet as text: the little of .xlsx that a table of words needs, strictly.

An .xlsx is a zip of XML (ECMA-376, "Office Open XML", part 1, chapter 18). Read are the cells'
stored texts, of a formula its last result; looks, dates and further sheets are passed over. XML that
declares a document type, which is how entities multiply, is refused before it is read on.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections import Counter
from typing import Any
from xml.etree import ElementTree

import pandas as pd

LIMIT_BYTES = 8 * 2**20
"""Unpacked size of one part of the file; ten thousand rows of four cells are 3 MB."""
MOST_DEEP, MOST_ELEMENTS = 64, 1_000_000
"""Elements of a part that hold one another, and all of them: each takes up to 400 bytes of memory."""
MOST_COLUMNS = 1000

_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_CELL = re.compile(r"([A-Z]{1,3})[0-9]{1,7}")
_CURE = "save it anew as .xlsx or as CSV"
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, KeyError,
    ElementTree.ParseError, ValueError,
)  # fmt: skip


class _Strict(ElementTree.TreeBuilder):
    """Builds a tree of XML without a document type, neither deep nor endless."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._elements = 0

    def start(self, tag: Any, attrs: Any, /) -> Any:
        self._depth += 1
        self._elements += 1
        if self._depth > MOST_DEEP or self._elements > MOST_ELEMENTS:
            raise ValueError(
                f"it has more than {MOST_ELEMENTS} elements, or {MOST_DEEP} in one another"
            )
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Any:
        self._depth -= 1
        return super().end(tag)

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError(f"it declares a document type {name!r}, which no spreadsheet does")


def read(content: bytes, *, where: str) -> pd.DataFrame:
    """Return the first sheet of the .xlsx `content`, all text; its first row names the columns.

    The index is each row's number in the sheet. Rows without any text and columns without a name are
    left out. `where` names the file in errors, which are ValueErrors.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            rows = _rows(parts)
    except _DAMAGE as error:
        reason = error.args[0] if isinstance(error, KeyError) else error
        raise ValueError(
            f"{where} is no spreadsheet that can be read ({reason}): {_CURE}"
        ) from None
    if not rows:
        raise ValueError(f"{where} is empty: expected a header and a row per image; get it again")
    (_, header), *body = rows
    names = {place: name.strip() for place, name in header.items() if name.strip()}
    if twice := sorted(name for name, times in Counter(names.values()).items() if times > 1):
        raise ValueError(f"{where} has two columns {twice[0]!r}: rename or remove one of them")
    cells = [[row.get(place, "") for place in names] for _, row in body]
    return pd.DataFrame(cells, [number for number, _ in body], list(names.values()), dtype=str)


def _rows(parts: zipfile.ZipFile) -> list[tuple[int, dict[int, str]]]:
    """Return (number, {column: text}) of each row that holds text, in the sheet's order."""
    shared = _shared_texts(parts)
    result, number = [], 0
    for row in _part(parts, _first_sheet(parts)).iter(f"{_SHEET}row"):
        number = int(row.get("r") or number + 1)
        cells, column = {}, 0
        for cell in row.iter(f"{_SHEET}c"):
            column = _column(cell.get("r"), column + 1)
            cells[column] = _text(cell, shared)
        if any(text.strip() for text in cells.values()):
            result.append((number, cells))
    return result


def _first_sheet(parts: zipfile.ZipFile) -> str:
    """Return the path of the workbook's first sheet, which any name may have."""
    sheet = _part(parts, "xl/workbook.xml").find(f"{_SHEET}sheets/{_SHEET}sheet")
    if sheet is None:
        raise ValueError("it has no sheet")
    for link in _part(parts, "xl/_rels/workbook.xml.rels"):
        if link.get("Id") == sheet.get(_LINK):
            target = link.get("Target") or ""
            return target[1:] if target.startswith("/") else f"xl/{target}"
    raise ValueError("its first sheet is not there")


def _shared_texts(parts: zipfile.ZipFile) -> list[str]:
    """Return the texts that cells refer to by number."""
    if "xl/sharedStrings.xml" not in parts.namelist():
        return []
    return [_words(item) for item in _part(parts, "xl/sharedStrings.xml").iter(f"{_SHEET}si")]


def _part(parts: zipfile.ZipFile, name: str) -> ElementTree.Element:
    with parts.open(name) as file:
        content = file.read(LIMIT_BYTES + 1)  # never more than this, whatever the header claims
    if len(content) > LIMIT_BYTES:
        raise ValueError(f"{name} has more than {LIMIT_BYTES} bytes unpacked")
    parser = ElementTree.XMLParser(target=_Strict())  # noqa: S314 (_Strict lets no entity in)
    parser.feed(content)
    return parser.close()


def _words(element: ElementTree.Element) -> str:
    """Return the text of an item, in one piece or in several of different looks (not how it sounds)."""
    pieces = [*element.findall(f"{_SHEET}t"), *element.findall(f"{_SHEET}r/{_SHEET}t")]
    return "".join(piece.text or "" for piece in pieces)


def _text(cell: ElementTree.Element, shared: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        item = cell.find(f"{_SHEET}is")
        return "" if item is None else _words(item)
    value = cell.findtext(f"{_SHEET}v") or ""
    if cell.get("t") != "s" or not value:
        return value
    if not 0 <= int(value) < len(shared):
        raise ValueError(f"a cell refers to text {value} of {len(shared)}")
    return shared[int(value)]


def _column(name: str | None, following: int) -> int:
    """Return a cell's column, 1 for `A7`; a cell without a name follows the one before."""
    if name is None:
        return following
    match = _CELL.fullmatch(name)
    if not match:
        raise ValueError(f"a cell is named {name!r}")
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    if column > MOST_COLUMNS:
        raise ValueError(f"a cell stands in column {match[1]}")
    return column
