"""Tables of made-up searches, as cxr.search writes them: no network is trained for them.

A network's score grows with its MACs and falls short of what it reaches with more images; evolved
networks gain from generation to generation. `macs` and `parameters` are not those of the
architectures, which only have to be readable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from cxr import artifacts, seeding
from cxr.evolution import sorting

MAX_MACS = 40_000_000
SIZE_PX = 96
RUNGS = ((8, 480), (3, 1440))
"""Networks and images of a generation's rungs."""
BASELINES = {"largest": 38_000_000, "mobilenetv3_small_100": 11_600_000, "resnet18": 340_000_000}
COLUMNS = ["fold", "method", "generation", "rung", "samples", "auroc", "accuracy", "loss", "macs", "parameters", "activation_bytes", "front", "picked", "architecture"]  # fmt: skip


def cells(place: int) -> dict[str, Any]:
    """Return an architecture of the family of cells, another one for every place."""
    kinds = ("residual", "inverted", "plain", "dense")
    stages = []
    for i in range(2 + place % 4):
        stage = {
            "block": kinds[(place + i) % 4], "width": 16 + 8 * ((place // 3 + 2 * i) % 14),
            "depth": 1 + (place + i) % 3, "kernel": 3 + 2 * ((place + i) % 2), "se": (place + i) % 3 == 0,
        }  # fmt: skip
        stages.append(stage | ({"expansion": 4} if stage["block"] == "inverted" else {}))
    return {
        "family": "cells", "resolution": 100, "stem": 16 + 8 * (place % 2), "stem_stride": 2, "activation": "relu",
        "norm": "batch", "down": "stride", "stages": stages, "pool": "gap", "hidden": [64] * (place % 3 == 1),
    }  # fmt: skip


def plain_cnns() -> list[dict[str, Any]]:
    """Return the 27 networks of the grid of 2021."""
    return [
        {"family": "plain_cnn", "layer_size": size, "conv_layers": conv, "dense_layers": dense, "side_px": SIZE_PX}
        for conv in (1, 2, 3)
        for size in (32, 64, 128)
        for dense in (0, 1, 2)
    ]  # fmt: skip


def candidates(
    folds: int, *, methods: Sequence[str] = ("evolved", "random"), generations: int = 4, diverged: int = 0
) -> pd.DataFrame:  # fmt: skip
    """Return what searches with two rungs tried; `diverged` networks of each generation have no loss."""
    rows: list[dict[str, Any]] = []
    for fold in range(folds):
        for method in methods:
            rng = seeding.stream(3, "candidates", method, fold)
            for generation in range(generations):
                gain = 0.02 * generation if method == "evolved" else 0.0
                macs_N = np.exp(rng.uniform(14, 17.4, RUNGS[0][0])).astype(int)
                places = rng.integers(0, 1000, RUNGS[0][0]).tolist()
                for rung, (networks, samples) in enumerate(RUNGS):
                    for i in range(networks):
                        level = 0.55 + 0.07 * (np.log(macs_N[i]) - 14) + 0.05 * rung + gain
                        made = _row(
                            min(level + float(rng.normal(0, 0.02)), 0.98),
                            lost=i >= networks - diverged,
                        )
                        rows.append(
                            {"fold": fold, "method": method, "generation": generation, "rung": rung, "samples": samples,
                             "macs": int(macs_N[i]), "parameters": int(macs_N[i]) // 40, "activation_bytes": int(macs_N[i]) // 9,
                             "architecture": artifacts.canonical_json(cells(places[i])), **made}
                        )  # fmt: skip
    return _marked(pd.DataFrame(rows))


def grid(folds: int) -> pd.DataFrame:
    """Return what a grid search of 27 networks tried: one rung, one generation."""
    rows = []
    for fold in range(folds):
        rng = seeding.stream(3, "grid", fold)
        for place, network in enumerate(plain_cnns()):
            macs = (1 + network["conv_layers"] ** 2) * network["layer_size"] ** 2 * 9000
            score = (
                0.8
                + 0.02 * network["conv_layers"]
                - 0.01 * network["dense_layers"]
                + float(rng.normal(0, 0.01))
            )
            rows.append(
                {"fold": fold, "method": "grid", "generation": 0, "rung": 0, "samples": 1440, "macs": macs,
                 "parameters": 30_000_000 // (1 + place % 3), "activation_bytes": 9_000_000,
                 "architecture": artifacts.canonical_json(network), **_row(score)}
            )  # fmt: skip
    return _marked(pd.DataFrame(rows))


def finalists(tried: pd.DataFrame, *, seeds: int = 3, baselines: Sequence[str] = tuple(BASELINES)) -> pd.DataFrame:  # fmt: skip
    """Return the two best of each method and fold and the baselines, trained anew over seeds."""
    rows: list[dict[str, Any]] = []
    top = tried[tried["rung"] == tried["rung"].max()]
    for fold in sorted(set(tried["fold"])):
        rng = seeding.stream(3, "finalists", fold)
        for method in dict.fromkeys(top["method"]):
            mine = top[(top["fold"] == fold) & (top["method"] == method)]
            best = mine.sort_values(["auroc", "macs"], ascending=[False, True]).drop_duplicates(
                "architecture"
            )
            for _, network in best.head(2).iterrows():
                rows += [
                    {"fold": fold, "method": method, "network": network["architecture"], "seed": seed,
                     "picked": network["picked"], **{key: network[key] for key in ("macs", "parameters", "activation_bytes")},
                     **_scores(network["auroc"] + float(rng.normal(0, 0.008)))}
                    for seed in range(seeds)
                ]  # fmt: skip
        for name in baselines:
            network = artifacts.canonical_json(cells(7)) if name == "largest" else name
            rows += [
                {"fold": fold, "method": name, "network": network, "seed": seed,
                 "picked": 1, "macs": BASELINES[name], "parameters": BASELINES[name] // 30, "activation_bytes": 4_000_000,
                 **_scores(0.82 + float(rng.normal(0, 0.01)))}
                for seed in range(seeds)
            ]  # fmt: skip
    table = pd.DataFrame(rows)
    table["samples"] = 2880
    return table


def _row(score: float, *, lost: bool = False) -> dict[str, float]:
    if lost:
        return {"auroc": 0.0, "accuracy": 0.0, "loss": float("nan")}
    return {"auroc": score, "accuracy": score - 0.1, "loss": 1.5 - score}


def _scores(score: float) -> dict[str, float]:
    return {
        "search_val_auroc": score, "search_val_accuracy": score - 0.1,
        "val_auroc": score - 0.02, "val_accuracy": score - 0.12,
    }  # fmt: skip


def _marked(table: pd.DataFrame) -> pd.DataFrame:
    """Mark the fronts of the top rung and each method's best there."""
    table["front"], table["picked"] = 0, 0
    top = table[table["rung"] == table["rung"].max()]
    for _, rows in top.groupby(["fold", "method"]):
        points = np.stack([1 - rows["auroc"], rows["macs"]], axis=1)
        table.loc[rows.index[sorted(sorting.front(points))], "front"] = 1
        table.loc[rows["auroc"].idxmax(), "picked"] = 1
    return table[COLUMNS]
