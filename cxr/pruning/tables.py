"""What a pruning found, as the tables and numbers of its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxr.evolution.genes import Evaluated, Genome
from cxr.pruning.candidates import Plan, front
from cxr.training import loop


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one fold."""

    plan: Plan
    """what was to be done"""
    evaluated: Sequence[Evaluated]
    """the candidates in the order of the search"""
    results: Mapping[Genome, Mapping[str, Any]]
    """what `fitness.evaluate` said of each of them, and of the whole parent"""
    cuts: Mapping[str, Genome]
    """pruned, uniform and global: the genomes that are compared"""
    fitted: Mapping[str, loop.Fitted]
    """those of the cuts that were fine-tuned"""

    @property
    def parent(self) -> Mapping[str, Any]:
        """What `fitness.evaluate` said of the parent."""
        return self.results[self.plan.encoding.whole]


def candidates(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return a row per network tried, by fold in the order of the search."""
    rows = []
    for fold, outcome in enumerate(outcomes):
        best = front(outcome.evaluated)
        for found in outcome.evaluated:
            result = outcome.results[found.genome]
            rows.append({
                "fold": fold,
                "generation": found.generation,
                **{key: result[key] for key in ("auroc", "loss", "macs", "parameters")},
                "front": int(found.genome in best),
                "picked": int(found.genome == outcome.cuts["pruned"]),
                "origin": outcome.plan.origin(found),
            })  # fmt: skip
    return pd.DataFrame(rows)


def channels(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return a row per group of channels, by fold in network order: how many each fine-tuned cut keeps."""
    rows = []
    for fold, outcome in enumerate(outcomes):
        kept = {cut: outcome.plan.encoding.kept(outcome.cuts[cut]) for cut in outcome.fitted}
        for group in outcome.plan.groups:
            whole = range(group.channels)
            counts = {cut: len(kept[cut].get(group.name, whole)) for cut in kept}
            rows.append({"fold": fold, "group": group.name, "parent": group.channels, **counts})
    return pd.DataFrame(rows)


def history(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return the learning curves of fine-tuning, a row per fold, model and epoch; kept: chosen on val."""
    rows = [
        {"fold": fold, "model": cut, **line, "kept": int(line["epoch"] == fitted.best_epoch)}
        for fold, outcome in enumerate(outcomes)
        for cut, fitted in outcome.fitted.items()
        for line in loop.history_rows(fitted, fold=fold)
    ]
    return pd.DataFrame(rows)


def metrics(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return what each fold's parent and its cuts cost and reach, and the means over folds.

    fitness_auroc is on search_val before fine-tuning, val_auroc on val after it; the parent's is
    measured as its cuts' are. The parent's cost at the top is its largest fold's.
    """
    parents = [_cut(outcome.parent, None) for outcome in outcomes]
    folds = [
        {
            "parent": parent,
            **{
                cut: _cut(outcome.results[genome], outcome.fitted.get(cut))
                for cut, genome in outcome.cuts.items()
            },
        }
        for parent, outcome in zip(parents, outcomes, strict=True)
    ]
    means = {
        f"{key}_{cut}": float(np.mean([fold[cut][key] for fold in folds]))
        for cut, found in folds[0].items()
        if cut != "parent"
        for key in ("fitness_auroc", "val_auroc", "val_accuracy")
        if key in found
    }
    shares = [f["pruned"]["macs"] / p["macs"] for f, p in zip(folds, parents, strict=True)]
    return {
        "parent": {
            "macs": max(parent["macs"] for parent in parents),
            "parameters": max(parent["parameters"] for parent in parents),
            "fitness_auroc": float(np.mean([parent["fitness_auroc"] for parent in parents])),
        },
        "folds": folds,
        "macs_share": float(np.mean(shares)),
        **means,
    }


def _cut(result: Mapping[str, Any], fitted: loop.Fitted | None) -> dict[str, Any]:
    """Return one network's cost and scores, those on val where it was fine-tuned."""
    found = {
        "macs": result["macs"],
        "parameters": result["parameters"],
        "fitness_auroc": result["auroc"],
    }
    if fitted is not None:
        line = next(line for line in fitted.history if line.epoch == fitted.best_epoch)
        found |= {"val_auroc": line.val_auroc, "val_accuracy": line.val_accuracy}
    return found
