"""openings: the one table of how often test images were scored, reports/test_openings.csv.

A line per opening, in the order of time, by `make final` alone; a number that has no line was never
reported. Columns: date_utc; commit of the code; study and its seed; test: first 12 digits of the
sha256 over the names of the test images, sorted, a line each, so that one test set is recognised
across studies and commits (not two that merely overlap); images: how many these are; models: those
that were scored; results: by model, in that order, the first 12 digits of the md5 that dvc.lock
holds for reports/evaluate/<model>/metrics.json; opening: the line's number among those of its test
set. A cell is empty where an older record does not tell.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from flows import files, pipeline

TABLE = Path("reports/test_openings.csv")
SPLITS = Path("data/splits.csv")
COLUMNS = ("date_utc", "commit", "study", "seed", "test", "images", "models", "results", "opening")
_DIGITS = 12
_RESULT = re.compile(r"reports/evaluate/([^/]+)/metrics\.json")


def tested(splits: Path = SPLITS) -> list[str]:
    """Return the images that are test in any fold, sorted."""
    with splits.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return sorted(
        {
            row["image"]
            for row in rows
            if any(part == "test" for key, part in row.items() if key.startswith("fold_"))
        }
    )


def test_set(splits: Path = SPLITS) -> tuple[str, int]:
    """Return the digest and the number of the images that are test in any fold."""
    names = tested(splits)
    if not names:
        raise ValueError(f"{splits}: no image is test in any fold: raise split.fractions.test")
    text = "".join(f"{name}\n" for name in names)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS], len(names)


def dividing(current: Sequence[pipeline.Stage]) -> Sequence[pipeline.Stage]:
    """Return the stages up to the one that divides the images, which comes last; raise Failed without one."""
    places = [n for n, stage in enumerate(current, 1) if str(SPLITS) in stage.outs]
    if not places:
        raise pipeline.Failed(f"dvc.yaml: no stage writes {SPLITS}, which says what is test")
    return current[: places[0]]


def results(root: Path = pipeline.HERE) -> dict[str, str]:
    """Return by model, sorted, the digits of its evaluation's result as dvc.lock holds it."""
    outs = [out for entry in pipeline.read_lock(root).values() for out in entry.get("outs", [])]
    found = {
        match[1]: out["md5"][:_DIGITS] for out in outs if (match := _RESULT.fullmatch(out["path"]))
    }
    return dict(sorted(found.items()))


def read(table: Path = TABLE) -> list[dict[str, str]]:
    """Return the lines of the table, none without a table; raise ValueError that names a bad one."""
    if not table.exists():
        return []
    text = table.read_bytes().decode()  # line ends as they are
    return files.rows(text, COLUMNS, path=table, where=str(table))


def text(rows: Iterable[Mapping[str, str]]) -> str:
    """Return the table's text."""
    return files.table(COLUMNS, rows)


def append(row: Mapping[str, str], table: Path = TABLE) -> None:
    """Add a line to the table, which is then there whole or as it was."""
    files.write(table, text([*read(table), row]))


def count(rows: Iterable[Mapping[str, str]], test: str) -> int:
    """Return how often the test set `test` was opened."""
    return sum(row["test"] == test for row in rows)


def unrecorded(
    rows: Iterable[Mapping[str, str]], study: str, found: Mapping[str, str]
) -> dict[str, str]:
    """Return those results of `found` (see `results`) that no line of the study names."""
    known = {
        pair
        for row in rows
        if row["study"] == study and row["results"]
        for pair in zip(row["models"].split(), row["results"].split(), strict=True)
    }
    return {model: result for model, result in found.items() if (model, result) not in known}
