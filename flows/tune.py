"""tune: run everything that needs no test image, and print what val said of each network.

Searches, trainings, prunings and what they rest on run as in `make repro`; evaluate,
explain, export and compare do not, so nothing is known of test while a study still changes. search_val ranks what a
search or a pruning tries (their brief trainings stand without val); val stops trainings and tells recipes apart. A search's own finalists are
trained shortly on shrunken images: compare their lines with one another only.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flows import command, pipeline

# The reports in which val speaks; the stages that write them are run, and no other for its own sake.
_REPORT = re.compile(r"reports/(search|transfer|distill|prune|finish)/([^/]+)/metrics\.json")
COLUMNS = (
    *("stage", "network", "search_val_auroc", "search_val_accuracy", "val_auroc", "val_accuracy"),
    *("best_epoch", "folds", "macs"),
)
"""Means over folds; of cuts, search_val is after the contest's brief training, and MACs are the largest
fold's."""
_FORMS = {"best_epoch": ".1f", "folds": ".0f", "macs": ",.0f"}  # the others have four digits
Row = dict[str, Any]


def reports(stages: list[pipeline.Stage]) -> dict[str, tuple[str, str, Path]]:
    """Return by name of a stage where val speaks: the kind, the run, the path of its metrics."""
    return {
        stage.name: (match[1], match[2], Path(out))
        for stage in stages
        for out in stage.outs
        if (match := _REPORT.fullmatch(out))
    }


def networks(kind: str, run: str, metrics: Mapping[str, Any]) -> Iterator[Row]:
    """Yield a row for each network that the metrics of one stage speak of."""
    if kind == "search":
        for name in _named(metrics, r"(.+)_val_auroc"):
            yield {
                "network": name,
                **{f"search_val_{x}": metrics.get(f"{name}_{x}") for x in ("auroc", "accuracy")},
                **{f"val_{x}": metrics.get(f"{name}_val_{x}") for x in ("auroc", "accuracy")},
                "folds": len(metrics["folds"]),
                "macs": metrics.get(f"{name}_macs"),
            }
    elif kind == "prune":
        for cut in metrics["folds"][0]["cuts"]:
            own = [fold["cuts"][cut] for fold in metrics["folds"] if cut in fold["cuts"]]
            if len(own) < len(metrics["folds"]):
                continue  # some fold can't be cut so: no model comes of it
            yield {
                "network": f"{run}-{cut}",
                "search_val_auroc": sum(x["contest_auroc"] for x in own) / len(own),
                "folds": len(own),
                "macs": max(x["macs"] for x in own),
            }
    elif kind == "finish":
        folds = metrics["folds"]
        yield {
            "network": run,
            **{key: metrics[key] for key in ("val_auroc", "val_accuracy", "macs")},
            "best_epoch": sum(fold["best_epoch"] for fold in folds) / len(folds),
            "folds": len(folds),
        }
    else:
        network = f"{run}-taught" if kind == "distill" else run
        yield {"network": network, **{key: metrics.get(key) for key in COLUMNS[4:]}}


def _named(metrics: Mapping[str, Any], form: str) -> list[str]:
    """Return what the keys of this form name, sorted."""
    return sorted(match[1] for key in metrics if (match := re.fullmatch(form, key)))


def table(rows: list[Row]) -> str:
    """Return the rows under their columns, the highest val AUROC first, an unknown one last."""

    def place(row: Row) -> tuple[bool, float, str, str]:
        value = row.get("val_auroc")
        return value is None, -(value or 0.0), row["stage"], row["network"]

    cells = [[*COLUMNS]]
    cells += [[_cell(key, row.get(key)) for key in COLUMNS] for row in sorted(rows, key=place)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def _cell(column: str, value: Any) -> str:
    """Write a value as its column wants it, an unknown one as `-`."""
    if value is None or isinstance(value, str):
        return value or "-"
    return format(value, _FORMS.get(column, ".4f"))


def run() -> str:
    """Bring every stage of `reports` up to date; return the table of what val said."""
    spoken = reports(pipeline.graph())
    if not spoken:  # without targets DVC would run everything, evaluate too
        raise pipeline.Failed(
            "no stage trains anything: name runs in params.yaml (transfer.runs, search.runs)"
        )
    pipeline.update(*spoken)
    rows = []
    for stage, (kind, name, path) in spoken.items():
        metrics = json.loads(path.read_text(encoding="utf-8"))
        rows += [{"stage": stage, **row} for row in networks(kind, name, metrics)]
    return table(rows)


def main() -> None:
    """Tune the present params.yaml."""
    argparse.ArgumentParser(prog="python -m flows.tune", description=__doc__,
                            formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()  # fmt: skip
    with command.telling(interrupted=command.GO_ON):
        print(run())
    print("no test image was scored; `make final` scores them, once the study is committed")


if __name__ == "__main__":
    main()
