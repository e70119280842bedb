"""Answers and models as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cxr.answering.model import Answer, Model

_DIGITS = 12


def heading(model: Model) -> list[str]:
    """Return what stands above a table of answers."""
    kind = "of which a picture has one" if model.one_label else "each by itself"
    sure = "calibrated on images of its own data sets" if model.calibrated else "not calibrated"
    which = f" ({model.which})" if model.which else ""
    return [
        f"{model.name}{which}, sha256 {model.version_sha256[:_DIGITS]}",
        f"probabilities of its labels, {kind}; {sure}",
        model.notice,
    ]


def columns(model: Model, files: Sequence[str]) -> list[int]:
    """Return the widths of the columns: file, labels, strangeness."""
    longest = max([4, *map(len, files)])
    return [min(longest, 60), *(max(6, len(label)) for label in model.labels), len("strangeness")]


def head(model: Model, widths: Sequence[int]) -> str:
    """Return the line above the columns."""
    names = [*model.labels, "strangeness"]
    cells = [f"{name:>{width}}" for name, width in zip(names, widths[1:], strict=True)]
    return "  ".join([f"{'file':<{widths[0]}}", *cells])


def line(answer: Answer, widths: Sequence[int]) -> str:
    """Return an answer's line."""
    file = answer.file if len(answer.file) <= widths[0] else f"…{answer.file[1 - widths[0] :]}"
    file = f"{file:<{widths[0]}}"
    if answer.error:
        return f"{file}  can't be read: {answer.error}"
    if answer.refused or answer.probabilities is None:
        return f"{file}  refused: {answer.refused}"
    numbers = [f"{x:.3f}" for x in answer.probabilities.values()] + [f"{answer.strangeness:.2f}"]
    cells = [f"{text:>{width}}" for text, width in zip(numbers, widths[1:], strict=True)]
    return "  ".join([file, *cells])


def registered(models: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the table of models: what to call each, which is prod, what it is."""
    rows = [("MODEL", "", "DAY", "SHA256", "WHAT")]
    for model in models:
        card = model["card"] or {}
        learned = f"{card.get('backbone')} on {', '.join(card.get('data_sets', []))}: {', '.join(card.get('labels', []))}"  # fmt: skip
        rows.append(
            (
                model["name"], "prod" if model["prod"] else "", model["day"] or "",
                (model["sha256"] or "")[:_DIGITS], model["fault"] or learned,
            )
        )  # fmt: skip
    if len(rows) == 1:
        return ["no model is exported here, and no version is registered"]
    widths = [max(len(row[place]) for row in rows) for place in range(4)]
    return [
        "  ".join([*(f"{row[place]:<{widths[place]}}" for place in range(4)), row[4]])
        for row in rows
    ]
