"""What one side of a change holds: its parameters, its reports, and each model's test results.

What a side lacks is empty: earlier commits wrote fewer reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxr import artifacts, manifest, params
from cxr.metrics.scored import Scored, from_table

COSTS = {"parameters": "parameters", "macs": "MACs", "weights_bytes": "bytes of weights"}
_TEXT = ("image", "patient", "source")


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model's test results."""

    name: str
    metrics: Mapping[str, Any]
    """reports/evaluate/<model>/metrics.json"""
    predictions: pd.DataFrame | None
    """predictions.csv, sorted by image; None if the side has none"""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of a change."""

    commit: str
    subject: str
    """first line of the commit's message"""
    name: str
    """as it was asked for; empty: the working tree"""
    uncommitted: bool
    """whether a working tree holds more than its commit"""
    folder: Path
    params: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, Model] = field(default_factory=dict)
    """by name, in the order of the parameters"""

    @property
    def words(self) -> str:
        """Name the side in a line."""
        short = self.commit[:10]
        if self.name:
            return short if self.commit.startswith(self.name) else f"{self.name} ({short})"
        return f"working tree on {short}" if self.uncommitted else short

    def report(self, path: str) -> dict[str, Any]:
        """Return a JSON file of reports/; empty if there is none."""
        file = self.folder / "reports" / path
        return artifacts.read_json(file) if file.is_file() else {}


def read(folder: Path, about: Mapping[str, Any]) -> Side:
    """Read a side from its folder; `about` says which commit it is."""
    file = folder / "params.yaml"
    tree = params.read_yaml(file) if file.is_file() else {}
    listed = [name for name in tree.get("models") or [] if isinstance(name, str)]
    reports = folder / "reports/evaluate"
    there = [path.parent.name for path in sorted(reports.glob("*/metrics.json"))]
    order = [name for name in listed if name in there] + [x for x in there if x not in listed]
    models = {name: _model(name, reports / name) for name in order}
    return Side(**about, folder=folder, params=tree, models=models)


def _model(name: str, folder: Path) -> Model:
    table = folder / "plots/predictions.csv"
    rows = artifacts.read_csv(table, dtype=dict.fromkeys(_TEXT, str)) if table.is_file() else None
    if rows is not None and not {*_TEXT, "fold"} <= {*rows.columns}:
        rows = None
    if rows is not None:
        rows = rows.sort_values(["image", "fold"], kind="stable", ignore_index=True)
    return Model(name=name, metrics=artifacts.read_json(folder / "metrics.json"), predictions=rows)


def scored(model: Model) -> Scored | None:
    """Return a model's predictions, decided as evaluate decided; None if it can't be told from the reports."""
    rows = model.predictions
    names = [] if rows is None else manifest.labels(rows)
    if rows is None or not names or not {f"score:{name}" for name in names} <= {*rows.columns}:
        return None
    if model.metrics.get("loss") == "cross_entropy":
        return from_table(rows, None)
    thresholds = model.metrics.get("thresholds") or {}
    if not all(isinstance(thresholds.get(name), list) for name in names):
        return None
    return from_table(rows, np.array([thresholds[name] for name in names], dtype=np.float64).T)
