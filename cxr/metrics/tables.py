"""One model's results as tables: every label, metric and decision; every subgroup.

results.csv has a row per label (empty: all together), metric and decision (see
`cxr.metrics.quantities`); `method` says how the interval came about: patients, the bootstrap that
counts, or delong, which takes images for independent. subgroups.csv has a row per group and label
(empty: the mean over the judged labels). Shapes: see `cxr.metrics`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from cxr.metrics import delong, subgroups, summary
from cxr.metrics.measured import Measured, number

_FIGURES = ("auroc", "auroc_to_all", "sensitivity", "specificity")
_GROUP_COLUMNS = (
    "attribute", "group", "label", "images", "patients", "patients_with", "patients_without",
    *(f"{figure}{end}" for figure in _FIGURES for end in ("", "_low", "_high")), "note",
)  # fmt: skip


def results(found: Measured) -> pd.DataFrame:
    """Return all quantities with their intervals, and DeLong's of each label's AUROC."""
    rows = [
        {**quantity._asdict(), "method": "patients", **found.found(quantity),
         "left_out": found.left_out(quantity)}
        for quantity in found.quantities
    ]  # fmt: skip
    table = pd.DataFrame([*rows, *_delong(found)])
    return table.sort_values(
        ["label", "decision", "metric", "method"], kind="stable", ignore_index=True
    )


def _delong(found: Measured) -> Iterator[dict[str, Any]]:
    for i, name in enumerate(found.names):
        areas = delong.areas(found.scored.labels_NL[:, i], found.scored.scores_NL[:, i][None])
        low, high = areas.interval(0, confidence=found.confidence)
        yield {
            "label": name, "metric": "auroc", "decision": "", "method": "delong",
            "value": number(areas.auroc_M[0]), "low": number(low), "high": number(high),
            "left_out": 0,
        }  # fmt: skip


def by_group(found: Measured) -> pd.DataFrame:
    """Return each group's figures; where too few patients have a label or lack it, none and why."""
    rows = []
    for place in range(len(found.groups)):
        rows += [_mean_row(found, place), *_label_rows(found, place)]
    table = pd.DataFrame(rows, columns=list(_GROUP_COLUMNS))
    # whole numbers beside empty cells
    return table.astype({"patients_with": "Int64", "patients_without": "Int64"})


def _mean_row(found: Measured, place: int) -> dict[str, Any]:
    group = found.groups[place]
    figures = summary.group_figures(found, place)
    judged = int(group.judged_L.sum())
    words = f"{judged} of {len(found.names)} labels judged"
    row = _head(found, place, "")
    for metric, key in (("auroc", "auroc"), ("auroc_to_all", "to_all")):
        row |= _spread(metric, figures[key])
    return row | {"note": words if judged < len(found.names) else ""}


def _label_rows(found: Measured, place: int) -> Iterator[dict[str, Any]]:
    group = found.groups[place]
    for i, name in enumerate(found.names):
        have, have_not = int(group.present_L[i]), int(group.absent_L[i])
        row = _head(found, place, name) | {"patients_with": have, "patients_without": have_not}
        for j, metric in enumerate(subgroups.METRICS):
            spread_B = found.group_BGML[:, place, j, i]
            row |= _spread(metric, found.interval(found.group_GML[place, j, i], spread_B))
        few = f"left out: fewer than {subgroups.FEWEST} patients with it or without it"
        yield row | {"note": "" if group.judged_L[i] else few}


def _head(found: Measured, place: int, label: str) -> dict[str, Any]:
    group = found.groups[place]
    return {
        "attribute": group.attribute, "group": group.name, "label": label,
        "images": len(group.rows_n), "patients": group.patients,
    }  # fmt: skip


def _spread(metric: str, figures: dict[str, float | None]) -> dict[str, float | None]:
    """Name value, low and high after the metric."""
    return {metric if key == "value" else f"{metric}_{key}": x for key, x in figures.items()}
