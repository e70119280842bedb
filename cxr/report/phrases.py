"""How the page says things that several sections say: intervals, ranges, names, anchors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cxr.report.elements import Html, count, number, scaled, tag, text

if TYPE_CHECKING:
    from cxr.report import Model, Study

METRICS = {"accuracy": "Accuracy", "macro_f1": "Macro-F1", "auroc": "AUROC"}
RESEARCH_ONLY = "Research use only. Not a medical device, not for diagnosis or treatment."


def interval(value: Mapping[str, float | None]) -> Html:
    """Return a value with its interval in small print."""
    if value["value"] is None or value["low"] is None:
        return text(number(value["value"]))
    words = f"[{number(value['low'])}, {number(value['high'])}]"
    return Html(f"{number(value['value'])} {tag('small', words)}")


def chance_words(found: Mapping[str, Any], metric: str) -> str:
    """Say what chance means for a metric."""
    if metric == "auroc":
        return "AUROC of guessing"
    if found["loss"] == "cross_entropy":
        return "always the most frequent class"
    return "always the more frequent answer to each label"


def spread(values: Sequence[int]) -> str:
    """Return the only or the lowest and highest of whole numbers."""
    low, high = min(values), max(values)
    return count(low) if low == high else f"{count(low)}–{count(high)}"


def file_size(size_bytes: int) -> str:
    """Return a file's size with its unit."""
    return scaled(size_bytes) + ("B" if size_bytes >= 1000 else "\u202fB")


def anchor(study: Study, model: Model) -> str:
    """Return an id without the name's own characters, which could be anything."""
    return str(study.models.index(model) + 1)


def spaced(name: str) -> str:
    """Return a label's or a check's name as words."""
    return name.replace("_", " ")


def natural(item: tuple[str, Any]) -> tuple[int, str]:
    """Sort fold_10 behind fold_9 (a JSON file has its keys in the order of their letters)."""
    digits = "".join(c for c in item[0] if c.isdigit())
    return (int(digits) if digits else 0), item[0]


def note(words: str) -> Html:
    """Return a remark in small print."""
    return tag("p", words, class_="note")
