"""The best networks of each method and the baselines, trained again at length over several seeds.

The search's own score is that of the best of many, on the images that chose it and with one draw of
weights: finalists get other draws, so the luck of the search does not decide. The pick of a method
is its finalist of the highest mean score on search_val; val is looked at and chooses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from cxr import backbones
from cxr.search import candidates
from cxr.search.candidates import Which
from cxr.search.judging import Asking, Judge
from cxr.search.settings import LARGEST, Finalists, Terms
from cxr.training.loop import Tensors

COLUMNS = ["fold", "method", "network", "seed", "samples", "search_val_auroc", "search_val_accuracy", "val_auroc", "val_accuracy", "macs", "parameters", "activation_bytes", "picked"]  # fmt: skip
"""A row per training. Of a baseline method is its name in params.yaml, and picked is 1.
network: canonical JSON of an architecture, or a timm name."""

Entered = Mapping[Which, Sequence[str]]
"""The finalists, by fold and method (or baseline)."""


def samples(settings: Finalists, terms: Terms, baselines: int) -> int:
    """Return how many images are seen in a fold, with those of the picks whose weights are kept."""
    entered = settings.networks * len(terms.methods) + baselines
    return (entered * settings.seeds + len(terms.methods)) * settings.samples


def check(baselines: Sequence[str]) -> None:
    """Raise ValueError for a baseline that is named twice or that timm does not know."""
    if len(set(baselines)) < len(baselines):
        raise ValueError(f"baselines names one twice: {', '.join(baselines)}")
    for name in baselines:
        if name != LARGEST:
            backbones.create(name, options={}, seed=0, stream=("check",))


def choose(tried: pd.DataFrame, *, networks: int, score: str) -> dict[Which, list[str]]:
    """Return the best of the top rung by fold and method: highest score, fewer MACs, first by name."""
    top = candidates.at_top(tried)
    found: dict[Which, list[str]] = {}
    for fold in sorted(set(top["fold"].tolist())):
        for method in dict.fromkeys(top["method"].tolist()):
            rows = top[(top["fold"] == fold) & (top["method"] == method)]
            best = sorted(zip(-rows[score], rows["macs"], rows["architecture"], strict=True))
            found[fold, method] = [network for _, _, network in best[:networks]]
    return found


def enter(
    chosen: Entered, baselines: Sequence[str], *, folds: int, largest: str
) -> dict[Which, list[str]]:
    """Return all finalists; `largest` is the network that the baseline of this name stands for."""
    named = {name: [largest if name == LARGEST else name] for name in baselines}
    entered = {which: list(networks) for which, networks in chosen.items()}
    return entered | {(fold, name): named[name] for fold in range(folds) for name in baselines}


def train(entered: Entered, settings: Finalists, judge: Judge, *, score: str) -> pd.DataFrame:
    """Train every finalist with every seed, one that several methods chose once; return the table."""
    networks = list(dict.fromkeys((fold, x) for (fold, _), names in entered.items() for x in names))
    asked = [asking(which, seed, settings) for which in networks for seed in range(settings.seeds)]
    results = dict(zip(asked, judge.train(asked, finalists=True), strict=True))
    rows = []
    for (fold, method), names in entered.items():
        for network in names:
            for seed in range(settings.seeds):
                one = asking((fold, network), seed, settings)
                rows.append(_row(method, seed, one, results[one]))
    table = pd.DataFrame(rows, columns=COLUMNS)
    chosen = picks(table, score=score)
    which = zip(table["fold"], table["method"], table["network"], strict=True)
    picked = [int(chosen[fold, method] == network) for fold, method, network in which]
    return table.assign(picked=picked).astype({"val_auroc": float, "val_accuracy": float})


def asking(which: Which, seed: int, settings: Finalists) -> Asking:
    """Return the training of a finalist with one of its seeds."""
    return Asking(*which, settings.samples, f"finalist {seed}")


def _row(method: str, seed: int, asked: Asking, result: Mapping[str, Any]) -> dict[str, Any]:
    same = ("samples", "val_auroc", "val_accuracy", "macs", "parameters", "activation_bytes")
    return {
        "fold": asked.fold, "method": method, "network": asked.network, "seed": seed,
        **{f"search_val_{key}": result[key] for key in ("auroc", "accuracy")},
        **{key: result[key] for key in same}, "picked": 0,
    }  # fmt: skip


def picks(table: pd.DataFrame, *, score: str) -> dict[Which, str]:
    """Return each method's pick by fold: highest mean score on search_val, fewer MACs, first by name."""
    standing: dict[Which, list[tuple[float, int, str]]] = {}
    columns = [table[x].tolist() for x in ("fold", "method", "network")]
    for fold, method, network in dict.fromkeys(zip(*columns, strict=True)):
        mine = (table["fold"] == fold) & (table["method"] == method) & (table["network"] == network)
        rows = table[mine]
        mean = sum(rows[f"search_val_{score}"].tolist()) / len(rows)
        standing.setdefault((fold, method), []).append((-mean, int(rows["macs"].iloc[0]), network))
    return {which: min(found)[-1] for which, found in standing.items()}


def weights(
    chosen: Mapping[Which, str], settings: Finalists, judge: Judge, *, run: str
) -> dict[Which, Tensors]:
    """Train the picks once more with the first seed; return their backbones' tensors, by fold and method.

    Raises ValueError unless each scores what its record says, to the bit.
    """
    networks = sorted({(fold, network) for (fold, _), network in chosen.items()})
    asked = [asking(which, 0, settings) for which in networks]
    again = judge.tensors(asked, run=run)
    for one, (_, said), known in zip(asked, again, judge.train(asked, finalists=True), strict=True):
        if said != {key: known[key] for key in said}:
            raise ValueError(
                f"network {one.network} of fold {one.fold}, trained once more, gave {said} and not "
                f"what is on record, {known}: this machine does not repeat itself; run `make doctor`"
            )
    made = {which: tensors for which, (tensors, _) in zip(networks, again, strict=True)}
    return {(fold, method): made[fold, network] for (fold, method), network in chosen.items()}
