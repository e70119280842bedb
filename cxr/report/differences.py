"""Which of two models is better, and whether that is more than noise: every pair on the same test images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cxr.report import phrases
from cxr.report.elements import Html, count, join, number, table, tag, text

if TYPE_CHECKING:
    from cxr.report import Study

_LEVEL = 0.05  # of Holm's corrected p


def differences(study: Study) -> Html | str:
    """Return the table of all pairs; nothing where there is one model, or images that are not the same."""
    found: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for row in study.differences:
        if not row["label"]:
            found.setdefault((row["first"], row["second"]), {})[row["metric"]] = row
    if not found:
        return ""
    rows = [
        [f"{first} − {second}", *(_cell(by_metric.get(metric)) for metric in phrases.METRICS)]
        for (first, second), by_metric in found.items()
    ]
    clear = sum(_clear(row) for by_metric in found.values() for row in by_metric.values())
    total = sum(len(by_metric) for by_metric in found.values())
    return join([
        tag("p", f"{count(clear)} of {count(total)} differences are more than noise."),
        table("First model less second, with intervals and corrected p",
              ["Pair", *phrases.METRICS.values()], rows),
        phrases.note(
            "Both models of a pair meet the same resamples of patients. p: Holm's correction over all pairs "
            f"of a metric; a difference stands out where it is below {_LEVEL:g}. Each label's AUROC, also by "
            "DeLong's test: reports/compare/plots/differences.csv."
        ),
    ])  # fmt: skip


def _cell(row: Mapping[str, Any] | None) -> Html:
    """Return a difference with its interval, and p beneath; a dash where it is undefined."""
    if row is None or row["difference"] is None:
        return text(number(None))
    low, high = (phrases.signed(row[key]) for key in ("low", "high"))
    value = text(phrases.signed(row["difference"]))
    shown = Html(
        f"{tag('strong', value) if _clear(row) else value} {tag('small', f'[{low}, {high}]')}"
    )
    if row["p_holm"] is None:
        return shown
    p = "p < 0.001" if row["p_holm"] < 0.001 else f"p = {number(row['p_holm'])}"
    return Html(f"{shown}{tag('small', p, class_='beneath')}")


def _clear(row: Mapping[str, Any]) -> bool:
    return row["p_holm"] is not None and row["p_holm"] < _LEVEL
