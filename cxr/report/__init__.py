"""report: one study as one HTML page that needs no other file, no network and no script.

`page` is pure: what it shows stands in a `Study`, which stages/compare.py gathers from reports/.
The page holds no clock time, host or path, so the same study gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cxr.datasets._source import Source
from cxr.report import (
    cohort,
    differences,
    explanations,
    method,
    models,
    pruning,
    results,
    search,
)
from cxr.report.document import document


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model's results."""

    name: str
    result: Mapping[str, Any]
    """reports/evaluate/<model>/metrics.json"""
    figures: Mapping[str, bytes]
    """PNGs by name: roc, confusion, reliability, history; those that exist"""
    reliability: list[Mapping[str, float]]
    """rows of reliability.csv; may be empty"""
    subgroups: list[Mapping[str, Any]]
    """rows of subgroups.csv, None for what is undefined; may be empty"""


@dataclass(frozen=True, kw_only=True)
class Search:
    """One search's networks, see stages/search.py; a value that is undefined is None."""

    name: str
    metrics: Mapping[str, Any]
    """reports/search/<run>/metrics.json"""
    candidates: list[Mapping[str, Any]]
    """rows of candidates.csv"""
    finalists: list[Mapping[str, Any]]
    """rows of finalists.csv"""
    figures: Mapping[str, bytes]
    """PNGs by name: front, progress, finalists, winner; those that exist"""

    @property
    def score(self) -> str:
        """Return what ranked networks: auroc or accuracy."""
        return str(self.metrics["score"])


@dataclass(frozen=True, kw_only=True)
class Finished:
    """One cut of a pruned model that was fine-tuned, see stages/finish.py."""

    name: str
    """of the model that it is"""
    cut: str
    """<method>_<percent>"""
    metrics: Mapping[str, Any]
    """reports/finish/<model>/metrics.json"""
    history: list[Mapping[str, Any]]
    """rows of history.csv"""
    figures: Mapping[str, bytes]
    """PNG by name: history, if it exists"""


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """What was cut out of one model, see stages/prune.py; a value that is undefined is None."""

    name: str
    """of the parent"""
    metrics: Mapping[str, Any]
    """reports/prune/<run>/metrics.json"""
    candidates: list[Mapping[str, Any]]
    """rows of candidates.csv"""
    channels: list[Mapping[str, Any]]
    """rows of channels.csv"""
    contest: list[Mapping[str, Any]]
    """rows of contest.csv"""
    figures: Mapping[str, bytes]
    """PNGs by name: front, channels, contest; those that exist"""
    finished: list[Finished]
    """in the order in which the parameters name the cuts; those of which a report exists"""

    @property
    def folds(self) -> list[Mapping[str, Any]]:
        """By fold: the parent, and the cuts by name."""
        return list(self.metrics["folds"])

    def cuts(self, name: str) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Return a cut and its parent of each fold that has it."""
        return [(fold["cuts"][name], fold["parent"]) for fold in self.folds if name in fold["cuts"]]

    def share(self, name: str) -> float | None:
        """Return the share of its parent's MACs that a cut has left: the mean over the folds."""
        shares = [cut["macs"] / parent["macs"] for cut, parent in self.cuts(name)]
        return sum(shares) / len(shares) if shares else None


@dataclass(frozen=True, kw_only=True)
class Study:
    """All that the page shows; empty mappings and None are left out of it."""

    name: str
    params: Mapping[str, Any]
    models: list[Model]
    """best first"""
    sort_by: str
    comparison: bytes | None
    """PNG: metrics against costs"""
    differences: list[Mapping[str, Any]]
    """rows of reports/compare/plots/differences.csv, None for what is undefined, no label for all; may be empty"""
    datasets: list[Source]
    split: Mapping[str, Any]
    """reports/split/metrics.json"""
    validation: Mapping[str, Any]
    """reports/validate/summary.json"""
    figures: Mapping[str, bytes]
    """PNGs by name: portrait, labels, split; those that exist"""
    searches: list[Search]
    prunings: list[Pruning]
    exports: Mapping[str, Mapping[str, Any]]
    """by model: reports/export/<model>/metrics.json, of those that were exported"""
    explanations: list[explanations.Explanation]


def page(study: Study) -> str:
    """Return the study's report as an HTML document."""
    parts = [
        ("results", "Results", results.results(study)),
        ("differences", "Differences", differences.differences(study)),
        ("search", "Search", search.search(study)),
        ("pruning", "Pruning", pruning.pruning(study)),
        ("models", "Models", models.models(study)),
        ("explanations", "Explanations", explanations.explanations(study.explanations)),
        ("data", "Data", cohort.data(study)),
        ("validation", "Validation", cohort.validation(study)),
        ("protocol", "Protocol", method.protocol(study)),
        ("reproduce", "Reproducibility", method.reproduce(study)),
    ]
    return document(
        parts,
        title=f"{study.name} · cxrepro report",
        header=results.header(study),
        footer=results.footer(study),
    )
