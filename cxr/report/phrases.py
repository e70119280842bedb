"""How the page says things that several sections say: intervals, ranges, names, anchors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cxr.metrics import student
from cxr.report import elements
from cxr.report.elements import Html, count, number, tag, text

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


def exclusive(found: Mapping[str, Any]) -> bool:
    """Tell whether an image has exactly one of the labels, as a model's metrics.json says it."""
    return found["loss"] == "cross_entropy"


def chance_words(found: Mapping[str, Any], metric: str) -> str:
    """Say what chance means for a metric."""
    if metric == "auroc":
        return "AUROC of guessing"
    if exclusive(found):
        return "always the most frequent class"
    return "always the more frequent answer to each label"


def spread(values: Sequence[int]) -> str:
    """Return the only or the lowest and highest of whole numbers."""
    low, high = min(values), max(values)
    return count(low) if low == high else f"{count(low)}–{count(high)}"


def mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the known values; None if there is none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def over_folds(
    values: Sequence[float | None], show: Callable[[float | None], str] = number
) -> Html:
    """Return the mean of the folds' values with their lowest and highest in small print."""
    known = [value for value in values if value is not None]
    if not known:
        return text(number(None))
    middle, low, high = show(mean(known)), show(min(known)), show(max(known))
    return text(middle) if low == high else Html(f"{middle} {tag('small', f'{low} to {high}')}")


def plus_minus(values: Sequence[float]) -> Html:
    """Return the mean of repeats with half of its 95 % t-interval in small print; a dash for none."""
    if not values:
        return text(number(None))
    found = student.mean(values)
    if found.half is None:
        return text(number(found.value))
    # of two repeats that differ, Student's t is so wide that its digits mislead
    half = number(found.half) if found.half < 0.5 else "more than 0.5"
    return Html(f"{number(found.value)} {tag('small', f'± {half}')}")


def of_folds(folds: int) -> str:
    """Say behind a caption what `over_folds` did; nothing for a single fold."""
    return f", mean and range of {folds} folds" if folds > 1 else ""


def signed(value: float) -> str:
    """Return a difference with its sign; the minus is the one that people write."""
    return f"{value:+.3f}".replace("-", "\u2212") if round(value, 3) else "±0.000"


def percent(value: float | None) -> str:
    """Return a share in whole per cent; a dash for an unknown one."""
    return "–" if value is None else f"{value:.0%}".replace("%", "\u202f%")


def scaled(value: float | None) -> str:
    """Return a large number with its unit; a dash for an unknown one."""
    return "–" if value is None else elements.scaled(value)


def starred(words: str, picked: object) -> Html:
    """Return words, with a star if they name what was picked."""
    if not picked:
        return text(words)
    star = tag("span", "★ ", aria_hidden="true")
    return Html(f"{star}{tag('span', 'picked: ', class_='hidden')}{text(words)}")


def best_first(row: Mapping[str, Any]) -> tuple[float, float]:
    """Sort candidates by AUROC, highest first, then by MACs; unknown ones last."""
    return (float("inf") if row["auroc"] is None else -row["auroc"]), row["macs"]


def some(shown: int, total: int) -> str:
    """Say how many rows a table shows where not all are there."""
    return f" (best {shown} of {count(total)})" if total > shown else ""


def file_size(size_bytes: int) -> str:
    """Return a file's size with its unit."""
    return elements.scaled(size_bytes) + ("B" if size_bytes >= 1000 else "\u202fB")


def anchor(study: Study, model: Model) -> str:
    """Return an id without the name's own characters, which could be anything."""
    return str(study.models.index(model) + 1)


def link(study: Study, model: Model) -> Html:
    """Return the model's name as a link to its article."""
    return tag("a", model.name, href=f"#model-{anchor(study, model)}")


def links(study: Study, models: Sequence[Model]) -> Html:
    """Return links to models in brackets, after a blank; nothing for none."""
    words = ", ".join(link(study, model) for model in models)
    return Html(f" ({words})" if models else "")


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
