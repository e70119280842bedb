"""What a pruning found, as the tables and numbers of its report; a share is a whole number of per cent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cxr.evolution.genes import Evaluated
from cxr.pruning import contest, fitness, methods
from cxr.pruning.candidates import front
from cxr.pruning.contest import EVOLVED, Entrant
from cxr.pruning.methods import PICK
from cxr.pruning.tournament import Outcome

SHOWN = (PICK, EVOLVED, "uniform")
"""The cuts whose channels are listed."""
_NUMBERS = {"auroc": np.float64, "loss": np.float64, "distance": np.float64}


def candidates(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return a row per network tried and rung, by fold and share in the order of the search.

    front and picked are 0 or 1, and 1 at the top rung only; picked: it became the evolved cut.
    """
    rows = []
    for outcome in outcomes:
        top = max(found.rung for found in outcome.evaluated)
        best = front(outcome.evaluated)
        picked = contest.picks(outcome.entrants)[EVOLVED].entry.tried
        for found in outcome.evaluated:
            said, at_top = outcome.found[found.genome, found.rung], found.rung == top
            rows.append({
                "fold": outcome.fold, "share": methods.percent(outcome.share),
                "generation": found.generation, "rung": found.rung,
                **{key: said[key] for key in _NUMBERS},
                "macs": outcome.found[found.genome, 0]["macs"],
                "parameters": outcome.found[found.genome, 0]["parameters"],
                "front": int(at_top and found.genome in best),
                "picked": int(at_top and found.genome == picked),
                "origin": _origin(outcome, found),
            })  # fmt: skip
    return pd.DataFrame(rows).astype(_NUMBERS)


def _origin(outcome: Outcome, found: Evaluated) -> str:
    """Say where a candidate comes from: a baseline's name, random (drawn by chance), or child."""
    return "child" if found.generation else outcome.origins.get(found.genome, "random")


def channels(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return a row per fold and group of channels, in network order: how many each cut keeps.

    For each share a column for each of SHOWN; a cut that can't be made in some fold has none there.
    """
    rows: dict[tuple[int, str], dict[str, Any]] = {}
    for outcome in outcomes:
        cuts = contest.picks(outcome.entrants)
        for group in outcome.space.groups:
            row = rows.setdefault(
                (outcome.fold, group.name),
                {"fold": outcome.fold, "group": group.name, "parent": group.channels},
            )
            for name in SHOWN:
                if name in cuts:
                    kept = cuts[name].network.kept.get(group.name, range(group.channels))
                    row[methods.cut(name, outcome.share)] = len(kept)
    return pd.DataFrame(list(rows.values()))


def contests(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return a row per entrant of each contest: what it scores as cut, and after the short training."""
    rows = []
    for outcome in outcomes:
        chosen = contest.winner(outcome.entrants)
        for one in outcome.entrants:
            rows.append({
                "fold": outcome.fold, "share": methods.percent(outcome.share),
                "method": one.entry.method, "number": one.entry.number, "macs": one.network.macs,
                "auroc": one.before["auroc"], "loss": one.before["loss"],
                "contest_auroc": one.after["auroc"], "contest_loss": one.after["loss"],
                "chosen": int(one is chosen),
            })  # fmt: skip
    return pd.DataFrame(rows).astype({"loss": np.float64, "contest_loss": np.float64})


def metrics(
    wholes: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome], *, evaluations: int
) -> dict[str, Any]:
    """Return what each fold's parent and its cuts cost and reach, and the means over folds.

    auroc and loss are on search_val before any training (the parent's measured as its cuts' are),
    contest_* after the contest's. The parent's cost at the top is its largest fold's.
    """
    parents = [_whole(whole) for whole in wholes]
    folds = [{"parent": parent, "cuts": dict(_cuts(outcomes, wholes, fold))} for fold, parent in enumerate(parents)]  # fmt: skip
    shares = list(dict.fromkeys(methods.percent(outcome.share) for outcome in outcomes))
    means = {
        f"{method}_auroc_{share}": _mean(
            fold["cuts"][f"{method}_{share}"]["contest_auroc"] for fold in folds
        )
        for method in (PICK, EVOLVED)
        for share in shares
    }
    return {
        "parent": {
            "macs": max(parent["macs"] for parent in parents),
            "parameters": max(parent["parameters"] for parent in parents),
            "auroc": _mean(parent["auroc"] for parent in parents),
            "loss": _mean(parent["loss"] for parent in parents),
        },
        "shares": shares,
        "evaluations": evaluations,
        "folds": folds,
        **means,
    }


def _whole(found: Mapping[str, Any]) -> dict[str, Any]:
    return {key: found[key] for key in ("macs", "parameters", "auroc", "loss")}


def _cuts(
    outcomes: Sequence[Outcome], wholes: Sequence[Mapping[str, Any]], fold: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the fold's cuts by name with what they cost and reach."""
    for outcome in outcomes:
        if outcome.fold == fold:
            for method, one in contest.picks(outcome.entrants).items():
                found = _cut(one, wholes[fold])
                origin = {"origin": one.entry.method} if method == PICK else {}
                yield methods.cut(method, outcome.share), {**found, **origin}


def _cut(one: Entrant, whole: Mapping[str, Any]) -> dict[str, Any]:
    label, fall = fitness.worst(one.before, whole)
    return {
        **_whole(one.before),
        "worst_label": label,
        "worst_loss": fall,
        "contest_auroc": one.after["auroc"],
        "contest_loss": one.after["loss"],
    }


def _mean(values: Iterator[float]) -> float:
    return float(np.mean(list(values)))
