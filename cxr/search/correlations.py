"""Whether a cheap look ranks networks as the top rung does: lower rungs, size, and proxies before training.

Kendall's tau-b within a fold, over all networks that its methods judged at the top rung. These are
the ones that the rungs before it let pass, so tau is lower than over networks drawn at random.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from cxr import plugins, seeding
from cxr.metrics import rank
from cxr.search import candidates
from cxr.search.candidates import Which

COLUMNS = ["fold", "measure", "tau", "low", "high", "networks"]
"""measure: rung_<k>, or a file in cxr/search/proxies; low and high: a 95 % interval."""

Proxies = Mapping[Which, Mapping[str, float | None]]
"""What the proxies say, by fold and network."""


def names() -> list[str]:
    """Return the known proxies."""
    return plugins.names("search/proxies")


def networks(tried: pd.DataFrame) -> list[Which]:
    """Return fold and network of what the top rung judged, each once, in the order of the table."""
    top = candidates.at_top(tried)
    pairs = zip(top["fold"].tolist(), top["architecture"].tolist(), strict=True)
    return list(dict.fromkeys(pairs))


def table(tried: pd.DataFrame, proxies: Proxies, *, score: str, seed: int) -> pd.DataFrame:
    """Return how each measure ranks the networks of the top rung, a row for each fold and measure."""
    top = int(tried["rung"].max())
    rows = []
    for fold in sorted(set(tried["fold"].tolist())):
        here = tried[tried["fold"] == fold]
        scores = [
            dict(zip(rows["architecture"], rows[score], strict=True))
            for rows in (here[here["rung"] == rung] for rung in range(top + 1))
        ]
        measures: dict[str, dict[str, float | None]] = {
            f"rung_{rung}": scores[rung] for rung in range(top)
        }
        for name in names():
            measures[name] = {network: proxies[fold, network][name] for network in scores[top]}
        for measure, said in measures.items():
            rng = seeding.stream(seed, "search", "correlation", fold, measure)
            pairs = [
                (x, y) for network, y in scores[top].items() if (x := said[network]) is not None
            ]
            found = rank.tau([x for x, _ in pairs], [y for _, y in pairs], rng=rng)
            rows.append({"fold": fold, "measure": measure, **words(found)})
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(["tau", "low", "high"], float))


def words(found: rank.Tau) -> dict[str, Any]:
    """Return tau, low, high (None if undefined) and the number of networks."""
    return {"tau": found.value, "low": found.low, "high": found.high, "networks": found.count}


def summarise(correlations: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    """Return by measure the means over the folds that have a tau, None if none has; networks are whole."""
    means: dict[str, dict[str, float | None]] = {}
    for measure in dict.fromkeys(correlations["measure"].tolist()):
        values = correlations.loc[correlations["measure"] == measure, COLUMNS[2:]].mean()
        means[measure] = {k: None if pd.isna(v) else float(v) for k, v in values.items()}
        means[measure]["networks"] = round(values["networks"])
    return means
