"""A data set's table as text: read strictly, each row known by its line in the file.

CSV as RFC 4180 has it, with the quotes checked; .tsv has tabs, .txt has whichever its header has.
Nothing is guessed: cells stay the text they are ("007", "NA", ""), and a table that is not whole or
not even is refused with the rows and the cure. Left out are rows without any text, which
spreadsheets leave at the end, columns without a name, and empty cells behind the last column.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from cxr import archives

SUFFIXES = (".csv", ".tsv", ".txt")
LIMIT_BYTES = 128 * 2**20
"""Unpacked; a million rows of a hundred letters are less."""
MOST_ROWS, MOST_CELLS, MOST_COLUMNS = 1_000_000, 5_000_000, 1000
"""MIMIC-CXR has 377,110 rows; a cell takes up to a hundred bytes of memory."""
LONGEST_LINE_BYTES = 2**20
MOST_NAMED = 10
"""Faulty rows that an error names one by one; of the others it tells how many."""

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_SAVE_AGAIN = "save it as CSV with commas in UTF-8"


def is_table(name: str) -> bool:
    """Say whether `read` takes a file of this name: .csv, .tsv, .txt, or .gz of them."""
    return name.lower().removesuffix(".gz").endswith(SUFFIXES)


def read(
    root: Path,
    member: str,
    *,
    columns: Sequence[str] = (),
    encoding: str = "utf-8",
    fallback: str = "",
) -> pd.DataFrame:
    """Return the table `member` of `archives.members(root)`, all text, its first row being the header.

    The index is each row's line in the file (where it begins, if a quoted cell holds line ends), so
    the first row has 2. `columns` must be there, others may. Lines that are not `encoding` are
    decoded as `fallback`, if one is named. Raises ValueError with file, rows and cure.
    """
    where = str(root / member)
    content = _unpacked(root, member)
    delimiter = _delimiter(member, content)
    records = _records(_lines(content, where, encoding, fallback), where, delimiter)
    header = _cut([name.strip() for name in next(records, (0, []))[1]], 0)
    _check_header(header, columns, where)
    lines: list[int] = []
    rows: list[list[str]] = []
    odd: list[tuple[int, str]] = []
    for line, cells in records:
        if not cells[0].strip() and not "".join(cells).strip():
            continue
        _check_length(len(lines) + len(odd) + 1, len(header), where)
        if len(cells) != len(header):
            cells = _cut(cells, len(header))
        if len(cells) != len(header):
            odd.append((line, f"{len(cells)} cells, the header has {len(header)}"))
            continue
        lines.append(line)
        rows.append(cells)
    refuse(where, odd, cure='put cells that hold commas into "quotes"')
    by_column = list(zip(*rows, strict=True)) or [()] * len(header)
    named = {name: list(column) for name, column in zip(header, by_column, strict=True) if name}
    return pd.DataFrame(named, lines, dtype=str)


def refuse(where: str, faults: Iterable[tuple[int, str]], *, cure: str) -> None:
    """Raise one ValueError that names the file and its faulty rows as (line, what is wrong), if any."""
    faults = sorted(faults)
    if not faults:
        return
    named = "; ".join(f"row {line}: {what}" for line, what in faults[:MOST_NAMED])
    more = f"; and {len(faults) - MOST_NAMED} more" if len(faults) > MOST_NAMED else ""
    rows = f"{len(faults)} faulty row{'s' if len(faults) > 1 else ''}"
    raise ValueError(f"{where} has {rows}: {named}{more}. Cure: {cure}")


def _unpacked(root: Path, member: str) -> bytes:
    """Return the table's bytes; of .gz never more than the limit gets into memory."""
    content, where = archives.read(root, member), root / member
    if member.lower().endswith(".gz"):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
                content = file.read(LIMIT_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{where} is damaged ({error}): download or make it again") from None
    if len(content) > LIMIT_BYTES:
        raise ValueError(
            f"{where} has more than {LIMIT_BYTES} bytes: no table is that large; leave out rows or columns"
        )
    return content


def _lines(content: bytes, where: str, encoding: str, fallback: str) -> Iterator[str]:
    """Yield each line with its end, decoded alone: a table of 128 MiB as one text may fill 512."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError(f"{where} is UTF-16: {_SAVE_AGAIN}")
    if b"\0" in content:
        row = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise ValueError(f"{where} is no text: row {row} holds a zero byte: {_SAVE_AGAIN}")
    start = 3 if content.startswith(b"\xef\xbb\xbf") else 0
    for row, match in enumerate(_LINE.finditer(content, start), 1):
        line = match[0]
        if len(line) > LONGEST_LINE_BYTES:
            raise ValueError(
                f"{where}: row {row} has more than {LONGEST_LINE_BYTES} bytes: is it a table? {_SAVE_AGAIN}"
            )
        if row > 4 * MOST_ROWS:
            raise ValueError(
                f"{where} has more than {row - 1} lines: take out those that are empty"
            )
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError:
            text = _odd_line(line, f"{where}: row {row}", encoding, fallback)
        yield text


def _odd_line(content: bytes, where: str, encoding: str, fallback: str) -> str:
    """Decode one line that is not `encoding` as `fallback`."""
    odd = b""
    for name in filter(None, (encoding, fallback)):
        try:
            return content.decode(name)
        except UnicodeDecodeError as error:
            odd = content[error.start : error.start + 1]
    tried = " or ".join(filter(None, (encoding, fallback)))
    raise ValueError(f"{where} is not {tried} (byte {odd!r}): {_SAVE_AGAIN}")


def _delimiter(member: str, content: bytes) -> str:
    name, first = member.lower().removesuffix(".gz"), _LINE.match(content)
    tabs = name.endswith(".tsv") or (name.endswith(".txt") and first and b"\t" in first[0])
    return "\t" if tabs else ","


def _records(lines: Iterable[str], where: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line at which each record begins, and its cells; empty lines are passed over."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f'{where}: row {line} is no CSV ({error}): close its quotes, and write "" for a " inside'
        ) from None


def _cut(cells: list[str], width: int) -> list[str]:
    """Return `cells` without the empty ones at the end, but `width` of them at least."""
    end = len(cells)
    while end > width and not cells[end - 1].strip():
        end -= 1
    return cells[:end]


def _check_header(header: list[str], columns: Sequence[str], where: str) -> None:
    if not any(header):
        raise ValueError(
            f"{where} is empty: expected a header and a row per image; get or make it again"
        )
    if len(header) > MOST_COLUMNS:
        raise ValueError(
            f"{where}: row 1, its header, has {len(header)} columns, more than {MOST_COLUMNS}: leave "
            "out those that say nothing of the image"
        )
    if len(header) == 1 and (other := re.search(r"[;\t|]", header[0])):
        raise ValueError(f"{where} is separated by {other[0]!r}: {_SAVE_AGAIN}")
    twice = sorted(name for name, times in Counter(header).items() if name and times > 1)
    if twice:
        raise ValueError(f"{where} has two columns {twice[0]!r}: rename or remove one of them")
    missing = [name for name in columns if name not in header]
    if missing:
        raise ValueError(
            f"{where} lacks the column {' and '.join(map(repr, missing))}: row 1, its header, has "
            f"{', '.join(map(repr, header))} (a header without commas means another separator: "
            f"{_SAVE_AGAIN})"
        )


def _check_length(rows: int, columns: int, where: str) -> None:
    if rows > MOST_ROWS or rows * columns > MOST_CELLS:
        raise ValueError(
            f"{where} has more than {MOST_ROWS} rows or {MOST_CELLS} cells: no set of X-rays has that "
            "many; leave out columns, or divide it into sets"
        )
