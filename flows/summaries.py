"""summaries: what a run did and found, as Markdown for people: stages, metrics, findings."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a stage ended."""

    stage: str
    outcome: str
    """ran, restored, unchanged, failed, or waiting: for a stage that failed"""
    seconds: float
    outputs: Mapping[str, str]
    """hash by path, of the lock file"""


def stages(ended: Sequence[Ended]) -> str:
    """Return a table of the stages, each with how it ended, how long it took, and its hashes."""
    rows = [
        [
            found.stage,
            found.outcome,
            f"{found.seconds:.1f}",
            " ".join(f"`{path}` {md5[:12]}" for path, md5 in found.outputs.items()),
        ]
        for found in ended
    ]
    return _table(["stage", "outcome", "seconds", "outputs"], rows)


def metrics(found: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> str:
    """Return the metrics by model as a table; behind a number that differs stands by how much."""
    rows = {
        model: dict(_flat(numbers))
        for model, numbers in found.items()
        if isinstance(numbers, Mapping)
    }
    columns = sorted({name for numbers in rows.values() for name in numbers})
    old = {
        model: dict(_flat(numbers))
        for model, numbers in (before or {}).items()
        if isinstance(numbers, Mapping)
    }
    cells = [
        [
            model,
            *(_cell(numbers.get(name), old.get(model, {}).get(name)) for name in columns),
        ]
        for model, numbers in rows.items()
    ]
    table = _table(["model", *columns], cells)
    gone = [model for model in old if model not in rows]
    return f"{table}\n\nNo longer there: {', '.join(gone)}" if gone else table


def findings(text: str) -> str:
    """Return the findings of validate, a CSV text, as a table; a sentence where there are none."""
    rows = list(csv.reader(io.StringIO(text)))
    return _table(rows[0], rows[1:]) if rows[1:] else "validate found nothing."


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(
        "|" + "|".join(f" {str(cell).replace('|', chr(92) + '|')} " for cell in line) + "|"
        for line in lines
    )


def _flat(node: Mapping[str, Any], where: str = "") -> list[tuple[str, Any]]:
    """Return (name, value) of every single value: `auroc.value`, `auroc.low`."""
    found: list[tuple[str, Any]] = []
    for name, value in node.items():
        inner = f"{where}.{name}" if where else name
        found += _flat(value, inner) if isinstance(value, Mapping) else [(inner, value)]
    return found


def _cell(value: Any, before: Any) -> str:
    words = (
        f"{value:.{DIGITS}g}" if isinstance(value, float) else "" if value is None else str(value)
    )
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (value, before))
    return f"{words} ({value - before:+.{DIGITS}g})" if numbers and value != before else words
