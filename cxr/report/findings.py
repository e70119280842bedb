"""What validate found, told four ways: the summary and its gate, a bounded list, a complaint, a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cxr import artifacts
from cxr import manifest as manifests

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEVERITIES = ("critical", "warning", "info")
MOST_ROWS = 1000
"""Rows that the list has of one finding; the summary counts all."""


def ordered(found: Mapping[str, pd.DataFrame], checks: Mapping[str, ModuleType]) -> pd.DataFrame:
    """Return all findings (finding, severity, image, detail), the gravest first."""
    tables = [
        rows.assign(finding=name, severity=checks[name].SEVERITY) for name, rows in found.items()
    ]
    table = pd.concat(tables)[["finding", "severity", "image", "detail"]]
    rank = table["severity"].map({name: i for i, name in enumerate(SEVERITIES)})
    by = ["rank", "finding", "image", "detail"]
    table = table.assign(rank=rank).sort_values(by, kind="stable", ignore_index=True)
    return table.drop(columns="rank")


def bounded(table: pd.DataFrame, *, most: int = MOST_ROWS) -> pd.DataFrame:
    """Return at most `most` rows of each finding; a row without an image says how many there are more."""
    place = table.groupby("finding", sort=False).cumcount()
    counts = table["finding"].map(table["finding"].value_counts())
    last = place == most
    kept = table[(place < most) | last].copy()
    words = [f"and {n - most:,} more" for n in counts[last]]
    kept.loc[last[last].index, "image"] = ""
    kept.loc[last[last].index, "detail"] = words
    return kept.reset_index(drop=True)


def summary(
    manifest: pd.DataFrame,
    table: pd.DataFrame,
    checks: Mapping[str, ModuleType],
    rules: Sequence[Mapping[str, Any]],
    *,
    accepted: Mapping[str, str],
    gaps: pd.DataFrame,
) -> dict[str, Any]:
    """Count what was found and say whether the pipeline may go on."""
    counts = {name: int((table["finding"] == name).sum()) for name in table["finding"].unique()}
    by_severity: dict[str, dict[str, int]] = {severity: {} for severity in SEVERITIES}
    for name, number in counts.items():
        by_severity[checks[name].SEVERITY][name] = number
    stopping = [name for name in by_severity["critical"] if name not in accepted]
    positives = (manifest[manifests.label_columns(manifest)] == 1).sum()
    return {
        "gate": "stopped" if stopping else "passed",
        "stopping": stopping,
        "images": len(manifest),
        "patients": int(manifest["patient"].nunique()),
        "datasets": _datasets(manifest, gaps),
        "labels": dict(zip(manifests.labels(manifest), map(int, positives), strict=True)),
        "counts": by_severity,
        "findings": [
            {
                "finding": name,
                "severity": checks[name].SEVERITY,
                "count": number,
                "accepted": accepted.get(name),
                "meaning": checks[name].MEANING,
                "cure": checks[name].CURE,
            }
            for name, number in counts.items()
        ],
        "accepted": {name: why for name, why in accepted.items() if name in counts},
        "accepted_but_absent": sorted(name for name in accepted if name not in counts),
        "checks": sorted(checks),
        "great_expectations": [
            {
                "rows": rule["rows"],
                "rule": rule["words"],
                "success": rule["success"],
                "unexpected": len(rule["unexpected"]),
            }
            for rule in rules
        ],
    }


def _datasets(manifest: pd.DataFrame, gaps: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Count each data set's images, patients, sources, masks, unreadable files and gaps."""
    missing = gaps.assign(dataset=gaps["image"].str.split("/", n=1).str[0])
    return {
        str(name): {
            "images": len(rows),
            "patients": int(rows["patient"].nunique()),
            "sources": int(rows["source"].nunique()),
            "masks": int((rows["kind"] == "mask").sum()),
            "unreadable": int((rows["fault"] != "").sum()),
            **{
                gap: int(((missing["dataset"] == name) & (missing["gap"] == gap)).sum())
                for gap in ("absent", "unlisted")
            },
        }
        for name, rows in manifest.groupby("dataset", sort=True)
    }


def expectations(rules: Sequence[Mapping[str, Any]], *, most: int = 20) -> dict[str, Any]:
    """Return Great Expectations' result without its clock times and ids, each rule with examples."""
    held = sum(bool(rule["success"]) for rule in rules)
    return {
        "success": held == len(rules),
        "statistics": {"evaluated": len(rules), "successful": held},
        "results": [
            {
                "rows": rule["rows"],
                "column": rule["column"],
                "expectation": rule["expectation"],
                "rule": rule["words"],
                "success": rule["success"],
                "unexpected": len(rule["unexpected"]),
                "first": [{"image": x, "value": value} for x, value in rule["unexpected"][:most]],
            }
            for rule in rules
        ],
    }


def complaint(table: pd.DataFrame, summary: Mapping[str, Any], *, where: str) -> str:
    """Return what a person needs to know who was stopped: each finding with its cure."""
    stopping = [row for row in summary["findings"] if row["finding"] in summary["stopping"]]
    width = max(len(row["finding"]) for row in stopping)
    lines = ["critical findings stop the pipeline (finding, how many, the first, the cure)"]
    for row in stopping:
        first = table[table["finding"] == row["finding"]].iloc[0]
        words = f"{first['image']}: {first['detail']}" if first["image"] else first["detail"]
        lines += [f"  {row['finding']:<{width}}  {row['count']:>6}  first {words}",
                  f"  {'':<{width}}          {row['cure']}"]  # fmt: skip
    name = summary["stopping"][0]
    lines += [
        f"each image: {where}; to run all the same, write the reason into the study: "
        f"validate: {{accepted: {{{name}: <reason>}}}}"
    ]
    return "\n".join(lines)


def draw(manifest: pd.DataFrame) -> Figure:
    """Draw how many images have each label, by source."""
    labels, columns = manifests.labels(manifest), manifests.label_columns(manifest)
    sources = manifest["source"].value_counts(sort=True).index.tolist()
    shown = sources[: len(artifacts.PALETTE) - 1]
    groups = manifest["source"].where(manifest["source"].isin(shown), "other sources")
    counts = (manifest[columns] == 1).groupby(groups).sum()
    order = [*shown, "other sources"][: len(counts)]
    figure, axis = artifacts.new_figure(7.5, 1.3 + 0.34 * len(labels))
    left = np.zeros(len(labels))
    for source, colour in zip(order, artifacts.PALETTE, strict=False):
        axis.barh(labels, counts.loc[source], left=left, label=source or "unknown", color=colour,
                  edgecolor="white")  # fmt: skip
        left += counts.loc[source].to_numpy()
    for row, total in enumerate(left):
        axis.annotate(f"{int(total):,}", (total, row), (3, 0), textcoords="offset points",
                      va="center", fontsize=8)  # fmt: skip
    axis.set(xlabel="images", title=f"Labels of {len(manifest):,} images by source")
    axis.grid(visible=False, axis="y")
    axis.margins(x=0.1)
    axis.invert_yaxis()
    figure.legend(loc="outside right upper", fontsize=8)
    return figure
