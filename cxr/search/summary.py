"""What a search found, as plain numbers: metrics.json of its report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from cxr.evolution.hypervolume import covered
from cxr.metrics import rank
from cxr.search import candidates, correlations
from cxr.search.settings import Terms

_MEANS = {"auroc": "search_val_auroc", "accuracy": "search_val_accuracy", "val_auroc": "val_auroc", "val_accuracy": "val_accuracy"}  # fmt: skip
_COSTS = ("macs", "parameters", "activation_bytes")
_COUNTS = (*_COSTS, "networks", "samples")
"""What is counted: its mean over folds is rounded to a whole number."""


def metrics(
    tried: pd.DataFrame,
    finals: pd.DataFrame,
    related: pd.DataFrame,
    terms: Terms,
    *,
    max_macs: int,
    proofs: Sequence[tuple[bool, rank.Tau]] = (),
) -> dict[str, Any]:
    """Return what each method and baseline came to, by fold and as means over folds.

    Scores are means over the seeds of the pick; None where a fold can't say. `networks` and
    `samples` say what each method was allowed, `choosers` whether what chose among each fold's
    children did so, and how well it ranks networks (the `proofs`).
    """
    names = list(dict.fromkeys(finals["method"].tolist()))
    folds: list[dict[str, dict[str, Any]]] = []
    for fold in sorted(set(finals["fold"].tolist())):
        here = finals[(finals["fold"] == fold) & (finals["picked"] == 1)]
        folds.append({name: _final(here[here["method"] == name]) for name in names})
        for method in terms.methods:
            rows = tried[(tried["fold"] == fold) & (tried["method"] == method)]
            folds[-1][method] |= _effort(rows, score=terms.score, max_macs=max_macs)
    each = [fold[method] for fold in folds for method in terms.methods]
    return {
        "score": terms.score,
        "methods": list(terms.methods),
        "baselines": [name for name in names if name not in terms.methods],
        "networks": max(found["networks"] for found in each),
        "samples": max(found["samples"] for found in each),
        "folds": folds,
        **{
            f"{name}_{key}": _over_folds([fold[name] for fold in folds], key)
            for name in names
            for key in folds[0][name]
        },
        "correlations": correlations.summarise(related),
        "choosers": [{"acted": acted, **correlations.words(tau)} for acted, tau in proofs],
    }


def _final(rows: pd.DataFrame) -> dict[str, Any]:
    means = {key: _mean(rows[column].tolist()) for key, column in _MEANS.items()}
    return means | {key: int(rows[key].iloc[0]) for key in _COSTS}


def _effort(rows: pd.DataFrame, *, score: str, max_macs: int) -> dict[str, Any]:
    """Return what one search tried and saw, and the hypervolume it came to at the top rung."""
    top = candidates.at_top(rows)
    return {
        "networks": int((rows["rung"] == 0).sum()),
        "samples": int(rows["samples"].sum()),
        "hypervolume": covered(top[score], top["macs"], max_macs=max_macs),
    }


def _over_folds(folds: Sequence[dict[str, Any]], key: str) -> float | None:
    mean = _mean([found[key] for found in folds])
    return mean if mean is None or key not in _COUNTS else round(mean)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return sum(known) / len(known) if known else None
