"""What a search tried, as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cxr.evolution import sorting
from cxr.evolution.genes import Evaluated, Genome, objectives_NM

COLUMNS = ["fold", "method", "generation", "rung", "samples", "auroc", "accuracy", "loss", "macs", "parameters", "activation_bytes", "front", "picked", "architecture"]  # fmt: skip
"""A row per evaluation; front and picked are 0 or 1, and 1 at the top rung only."""
_FOUND = ["samples", "auroc", "accuracy", "loss", "macs", "parameters", "activation_bytes"]

Which = tuple[int, str]
"""Of a search: fold and method; of a network: fold and name (canonical JSON, or a timm name)."""
Tried = Mapping[Which, Sequence[Evaluated]]
"""What was evaluated, in order, by fold and method."""
Results = Mapping[tuple[int, str, int], Mapping[str, Any]]
"""What `fitness.evaluate` said, by fold, network and rung."""


def objectives(result: Mapping[str, Any], score: str) -> tuple[float, ...]:
    """Return what is minimised: 1 - score on search_val, and MACs."""
    return 1.0 - result[score], float(result["macs"])


def table(tried: Tried, results: Results, identity: Callable[[Genome], str]) -> pd.DataFrame:
    """Return all evaluations, a row each with COLUMNS, in their order; none is picked yet."""
    rows = []
    for (fold, method), members in tried.items():
        highest = max(member.rung for member in members)
        top = [place for place, member in enumerate(members) if member.rung == highest]
        best = sorting.front(objectives_NM([members[place] for place in top]))
        front = {top[place] for place in best.tolist()}
        for place, member in enumerate(members):
            network = identity(member.genome)
            found = results[fold, network, member.rung]
            rows.append(
                {
                    "fold": fold, "method": method, "generation": member.generation,
                    "rung": member.rung, **{key: found[key] for key in _FOUND},
                    "front": int(place in front), "picked": 0, "architecture": network,
                }
            )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS).astype({"loss": np.float64})


def at_top(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the top rung: only they can be compared in earnest."""
    return rows[rows["rung"] == rows["rung"].max()]


def mark(candidates: pd.DataFrame, picks: Mapping[Which, str]) -> pd.DataFrame:
    """Return the table with `picked` 1 where the pick of a fold and method stands at the top rung."""
    top = candidates["rung"] == candidates["rung"].max()
    names = zip(candidates["fold"], candidates["method"], candidates["architecture"], strict=True)
    chosen = [picks.get((fold, method)) == network for fold, method, network in names]
    return candidates.assign(picked=(top & np.array(chosen)).astype(int))
