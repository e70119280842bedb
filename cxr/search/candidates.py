"""What a search tried, as a table; which network it picks; and the figures that say how it went."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cxr.evolution import sorting
from cxr.evolution.genes import Evaluated, Genome, objectives_NM
from cxr.evolution.hypervolume import covered

METHODS = ("evolved", "random")
"""NSGA-II, and as many networks drawn at random."""
COLUMNS = ["fold", "method", "generation", "auroc", "loss", "macs", "parameters", "front", "picked", "architecture"]  # fmt: skip
"""A row per network tried; front and picked are 0 or 1, within the fold and method."""

Tried = Mapping[tuple[int, str], Sequence[Evaluated]]
"""What was evaluated, in order, by fold and method."""
Results = Mapping[tuple[int, str], Mapping[str, Any]]
"""What `fitness.evaluate` said, by fold and canonical architecture."""


def objectives(result: Mapping[str, Any]) -> tuple[float, ...]:
    """Return what is minimised: 1 - AUROC on search_val, and MACs."""
    return 1.0 - result["auroc"], float(result["macs"])


def table(tried: Tried, results: Results, identity: Callable[[Genome], str]) -> pd.DataFrame:
    """Return all that was tried, a row each with COLUMNS, in the order of evaluation."""
    rows = []
    for (fold, method), members in tried.items():
        front = set(sorting.front(objectives_NM(members)).tolist())
        found = [(name, results[fold, name]) for name in (identity(x.genome) for x in members)]
        best = min(found, key=lambda item: (-item[1]["auroc"], item[1]["macs"], item[0]))[0]
        for place, (member, (name, result)) in enumerate(zip(members, found, strict=True)):
            rows.append(
                {
                    "fold": fold, "method": method, "generation": member.generation,
                    **{key: result[key] for key in ("auroc", "loss", "macs", "parameters")},
                    "front": int(place in front), "picked": int(name == best), "architecture": name,
                }
            )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def picks(candidates: pd.DataFrame) -> dict[tuple[int, str], str]:
    """Return the picked architecture by fold and method: highest AUROC, then fewer MACs, then by name."""
    chosen = candidates[candidates["picked"] == 1]
    keys = zip(chosen["fold"].tolist(), chosen["method"].tolist(), strict=True)
    return dict(zip(keys, chosen["architecture"].tolist(), strict=True))


def summarise(candidates: pd.DataFrame, results: Results) -> dict[str, Any]:
    """Return the metrics: what each method was allowed and found, by fold and as means over folds."""
    folds: list[dict[str, Any]] = []
    for fold in sorted(set(candidates["fold"].tolist())):
        folds.append({})
        for method in METHODS:
            rows = candidates[(candidates["fold"] == fold) & (candidates["method"] == method)]
            pick = rows[rows["picked"] == 1].iloc[0]
            seen = sum(results[fold, name]["samples"] for name in rows["architecture"])
            folds[-1][method] = {
                "auroc": float(pick["auroc"]), "macs": int(pick["macs"]),
                "parameters": int(pick["parameters"]), "networks": len(rows), "samples": seen,
            }  # fmt: skip
    each = [fold[method] for fold in folds for method in METHODS]
    return {
        "folds": folds,
        "networks": max(found["networks"] for found in each),
        "samples": max(found["samples"] for found in each),
        **{
            f"{method}_{key}": sum(fold[method][key] for fold in folds) / len(folds)
            for method in METHODS
            for key in ("auroc", "macs")
        },
    }


def best_so_far(rows: pd.DataFrame) -> np.ndarray:
    """Return the highest AUROC (N,) up to each of one search's networks."""
    return np.maximum.accumulate(rows["auroc"].to_numpy(np.float64))


def covered_so_far(rows: pd.DataFrame, *, max_macs: int) -> np.ndarray:
    """Return what is `hypervolume.covered` (N,) up to each of one search's networks."""
    auroc_N, macs_N = rows["auroc"].to_numpy(np.float64), rows["macs"].to_numpy(np.float64)
    ends = range(1, len(rows) + 1)
    return np.array([covered(auroc_N[:end], macs_N[:end], max_macs=max_macs) for end in ends])
