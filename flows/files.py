"""files: put a file in place whole or not at all, and tables from their text and back.

`cxr.artifacts` does so for stages, which flows don't know.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; it takes the place of `path` when all went well."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write(path: Path, text: str) -> None:
    """Write a text, as it is, in the place of the file."""
    with replacing(path) as partial:
        partial.write_bytes(text.encode())


def rows(text: str, columns: Sequence[str], *, path: Path, where: str) -> list[dict[str, str]]:
    """Return the lines of a CSV table that git keeps at `path`; raise ValueError that names a bad one.

    `where` is what the text is of, in words.
    """
    found = list(csv.reader(io.StringIO(text, newline="")))
    cure = f"restore it from git (`git log -- {path}`)"
    if not found or found[0] != list(columns):
        raise ValueError(f"{where}: the first line must be {','.join(columns)}: {cure}")
    for place, row in enumerate(found[1:], 2):
        if len(row) != len(columns):
            raise ValueError(
                f"{where}: line {place} has {len(row)} of {len(columns)} cells: {cure}"
            )
    return [dict(zip(columns, row, strict=True)) for row in found[1:]]


def table(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    """Return rows as the text of a CSV table with these columns; raise ValueError if a row holds another."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()
