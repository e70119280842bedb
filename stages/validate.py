"""validate: look for faults in the data before anything learns from them, and stop at grave ones.

Every rule in cxr/checks is run over the manifest. A critical finding stops the pipeline, unless
`validate.accepted` in the study names it and says why; what is accepted stands in every report.
The tables are written either way: reports/validate/plots/findings.csv has each image.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages._stage import run

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SEVERITIES = ("critical", "warning", "info")
REPORTS = Path("reports/validate")


@dataclass(frozen=True, kw_only=True)
class Params:
    """Which critical findings the study knows of."""

    accepted: dict[str, str]
    """critical finding: why the study may run all the same"""


def validate(manifest: pd.DataFrame, settings: Params) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return all findings (finding, severity, image, detail) and the summary with the gate.

    Raises ValueError if `accepted` names no critical check or gives no reason.
    """
    import pandas as pd

    from cxr import plugins, progress

    names = plugins.names("checks")
    checks = {name: plugins.load("checks", name) for name in names}
    _check_accepted(settings, [name for name in names if checks[name].SEVERITY == "critical"])
    rules = checks["table_rule"].results(manifest)
    tables = []
    for name in progress.track(names, total=len(names), words="checks"):
        rows = checks[name].findings(rules) if name == "table_rule" else checks[name].find(manifest)
        tables.append(rows.assign(finding=name, severity=checks[name].SEVERITY))
    table = pd.concat(tables)[["finding", "severity", "image", "detail"]]
    table["severity"] = pd.Categorical(table["severity"], SEVERITIES, ordered=True)
    table = table.sort_values(
        ["severity", "finding", "image", "detail"], kind="stable", ignore_index=True
    )
    table["severity"] = table["severity"].astype(str)
    return table, _summary(manifest, table, checks, rules, settings)


def _check_accepted(settings: Params, critical: list[str]) -> None:
    """Raise ValueError for a name that stops nothing, or a reason left empty."""
    for name, reason in settings.accepted.items():
        if name not in critical:
            raise ValueError(
                f"validate.accepted: {name!r} is no critical finding: known are {', '.join(critical)}"
            )
        if not reason.strip():
            raise ValueError(f"validate.accepted.{name}: say why the study may run all the same")


def _summary(
    manifest: pd.DataFrame,
    table: pd.DataFrame,
    checks: dict[str, Any],
    rules: list[dict[str, Any]],
    settings: Params,
) -> dict[str, Any]:
    """Count what was found and say whether the pipeline may go on."""
    from cxr import manifest as manifests

    counts = {name: int((table["finding"] == name).sum()) for name in table["finding"].unique()}
    by_severity: dict[str, dict[str, int]] = {severity: {} for severity in SEVERITIES}
    for name, count in counts.items():
        by_severity[checks[name].SEVERITY][name] = count
    stopping = [name for name in by_severity["critical"] if name not in settings.accepted]
    positives = (manifest[manifests.label_columns(manifest)] == 1).sum()
    return {
        "gate": "stopped" if stopping else "passed",
        "stopping": stopping,
        "images": len(manifest),
        "patients": int(manifest["patient"].nunique()),
        "labels": dict(zip(manifests.labels(manifest), map(int, positives), strict=True)),
        "counts": by_severity,
        "findings": [
            {
                "finding": name,
                "severity": checks[name].SEVERITY,
                "count": count,
                "accepted": settings.accepted.get(name),
                "meaning": checks[name].MEANING,
                "cure": checks[name].CURE,
            }
            for name, count in counts.items()
        ],
        "accepted": {name: why for name, why in settings.accepted.items() if name in counts},
        "accepted_but_absent": sorted(name for name in settings.accepted if name not in counts),
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


def complaint(table: pd.DataFrame, summary: dict[str, Any]) -> str:
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
        f"each image: {REPORTS / 'plots/findings.csv'}; to run all the same, write the reason into "
        f"the study: validate: {{accepted: {{{name}: <reason>}}}}"
    ]
    return "\n".join(lines)


def draw(manifest: pd.DataFrame) -> Figure:
    """Draw how many images have each label, by source."""
    import numpy as np

    from cxr import artifacts
    from cxr import manifest as manifests

    labels, columns = manifests.labels(manifest), manifests.label_columns(manifest)
    sources = manifest["source"].value_counts(sort=True).index.tolist()
    shown = sources[: len(artifacts.PALETTE) - 1]
    groups = manifest["source"].where(manifest["source"].isin(shown), "other sources")
    counts = (manifest[columns] == 1).groupby(groups).sum()
    order = [*shown, "other sources"][: len(counts)]
    figure, axis = artifacts.new_figure(7.5, 1.3 + 0.34 * len(labels))
    left = np.zeros(len(labels))
    for source, colour in zip(order, artifacts.PALETTE, strict=False):
        axis.barh(labels, counts.loc[source], left=left, label=source, color=colour,
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


def main() -> str:
    """Run the checks over data/manifest.csv, write the reports, then open or close the gate."""
    from cxr import artifacts, params, progress
    from cxr import manifest as manifests

    settings = params.load(Params, "validate")
    manifest = manifests.read(Path("data/manifest.csv"))
    progress.say(f"checking {len(manifest)} images (Great Expectations loads for a few seconds)")
    table, summary = validate(manifest, settings)
    with artifacts.folder(REPORTS / "plots") as plots:
        artifacts.write_csv(plots / "findings.csv", table)
        artifacts.write_figure(plots / "labels.png", draw(manifest))
    artifacts.write_json(REPORTS / "summary.json", summary)
    for row in summary["findings"]:
        why = f" (accepted: {row['accepted']})" if row["accepted"] else ""
        progress.say(f"{row['severity']:<8} {row['finding']}: {row['count']}{why}")
    for name in summary["accepted_but_absent"]:
        progress.say(f"accepted, but not found: {name}; take it out of validate.accepted")
    if summary["stopping"]:
        raise ValueError(complaint(table, summary))
    counts = ", ".join(f"{sum(summary['counts'][s].values())} {s}" for s in SEVERITIES)
    return f"gate passed: {counts} findings in {summary['images']} images of {summary['patients']} patients"


if __name__ == "__main__":
    run("validate", main, Params)
