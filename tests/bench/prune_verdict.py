"""What the rows of `make bench-prune` say: evolved cuts beside each baseline and beside the parent.

Two kinds of intervals, of 95 %, answer two questions:

- over seeds: Student's, of the seeds' paired differences (other divisions, trainings and searches);
- over patients: paired bootstrap. Patients of the judged images are drawn with replacement, each with all
  of his or her images, and the macro AUROC of all folds' pooled scores is computed anew. A draw is the
  same for every network, and for every seed where the seeds are judged on the same images; the difference
  is taken within each draw and, for all seeds together, averaged over the seeds. Seeds and networks
  themselves are not drawn.

The best baseline is the one with the highest mean over the seeds, on the images that judge: a hard rival,
since its luck on them counts for it. Beside the best of all stands the best of the usual ones:
`reconstruction`, the criterion that evolution cuts by too, and `sensitivity` are this project's own.
`bound_95` is one-sided: 95 % of the draws lose less.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxr.metrics import intervals, student
from cxr.pruning import methods
from cxr.pruning.contest import EVOLVED
from tests.bench.prune_data import SHOWN
from tests.bench.prune_rows import PARENT, SCRATCH, TRAINED_ON, UNCUT, WHOLE

BASELINES = (*(x for x in methods.METHODS if x != EVOLVED), SCRATCH)
USUAL = ("uniform", "global", "bn_scale", "taylor", "random", SCRATCH)
"""what others cut by"""
PICK = methods.PICK
WORDS = {
    **methods.WORDS,
    PICK: "Handed over",
    SCRATCH: "Evolved shape, from scratch",
    PARENT: "Parent",
    TRAINED_ON: "Parent, trained on as its cuts are",
}
WITHIN = 0.03
"""MACs of rivals differ by no more than this part."""
LOSS_BOUNDS = {("nih14_lungmasked", 50): 0.01, ("nih14_lungmasked", 30): 0.02}
"""The most AUROC that a cut is to lose, as the one-sided 95 % bound over patients."""

Resamples = Mapping[tuple[str, int, int, str], np.ndarray]
Tree = dict[str, Any]


@dataclass(frozen=True)
class Share:
    """One data set's rows at one share, the parent's among them, and their resamples."""

    data: str
    percent: int
    rows: pd.DataFrame
    resamples: Resamples

    def scores(self, method: str) -> pd.Series:
        """Return the macro AUROC by seed, ascending."""
        mine = self.rows[self.rows["method"] == method]
        return mine.set_index("seed")["auroc"].sort_index().astype(float)

    def draws(self, method: str, seed: int) -> np.ndarray:
        """Return a network's resampled macro AUROC (B,)."""
        share = WHOLE if method in UNCUT else self.percent
        return self.resamples[self.data, seed, share, method]

    @property
    def methods(self) -> list[str]:
        """The methods that have rows, in the order of the tables."""
        there = set(self.rows["method"])
        return [method for method in SHOWN if method in there]

    @property
    def uncut(self) -> list[str]:
        """The parent, and the parent trained on if it has rows."""
        there = set(self.rows["method"])
        return [method for method in UNCUT if method in there]


def shares(rows: pd.DataFrame, resamples: Resamples) -> Iterator[Share]:
    """Yield each data set at each share, the largest share first."""
    for data in dict.fromkeys(rows["data"]):
        mine = rows[rows["data"] == data]
        for percent in sorted(set(mine["share"]) - {WHOLE}, reverse=True):
            here = mine[mine["share"].isin([percent, WHOLE])]
            yield Share(str(data), int(percent), here, resamples)


def summarise(rows: pd.DataFrame, resamples: Resamples) -> Tree:
    """Return by data set and share (per cent): methods, differences, bootstrap, goals."""
    found: Tree = {}
    for share in shares(rows, resamples):
        about = found.setdefault(share.data, {"shares": {}})
        about["judged_on"] = ", ".join(sorted(set(share.rows["part"])))
        about["versions"] = sorted(set(share.rows["code"]))
        about["uncut"] = {method: _method(share, method) for method in share.uncut}
        about["shares"][str(share.percent)] = _share(share)
    return found


def _share(share: Share) -> Tree:
    rivals = [method for method in BASELINES if method in share.methods]
    best, usual = (
        max(some, key=lambda method: share.scores(method).mean())
        for some in (rivals, [method for method in rivals if method in USUAL])
    )
    found = {
        "methods": {method: _method(share, method) for method in share.methods},
        "differences": {method: paired(share, EVOLVED, method) for method in rivals},
        "best_baseline": best,
        "best_usual": usual,
        "bootstrap": {
            "evolved_less_best_baseline": bootstrap(share, EVOLVED, best),
            "pruned_less_best_baseline": bootstrap(share, PICK, best),
            "evolved_less_best_usual": bootstrap(share, EVOLVED, usual),
            "pruned_less_best_usual": bootstrap(share, PICK, usual),
            **{
                f"{uncut}_less_{cut}": bootstrap(share, uncut, cut)
                for uncut in share.uncut
                for cut in (EVOLVED, PICK)
            },
        },
        "loss": {method: paired(share, PARENT, method) for method in (EVOLVED, PICK)},
        "unmatched": _unmatched(share),
    }
    return {**found, "goals": list(_goals(share, found))}


def _method(share: Share, method: str) -> Tree:
    """Return what a method came to, as means over its seeds, and its worst label."""
    mine = share.rows[share.rows["method"] == method]
    found: Tree = {"seeds": len(mine)}
    for key in ("auroc", "accuracy", "val_auroc"):
        mean = student.mean(mine[key].astype(float).tolist())
        found[key] = {"mean": mean.value, "low": mean.low, "high": mean.high}
    for key in ("macs", "parameters"):
        found[key] = round(mine[key].astype(float).mean())
    found["filled"] = float(mine["filled"].min())
    if method != PARENT:
        found["worst_label"] = _worst_label(share, method)
    told = mine.set_index("seed")["origin"].dropna()
    origins = {str(seed): origin for seed, origin in told.items() if origin}
    return {**found, "origin": origins} if origins else found


def _worst_label(share: Share, method: str) -> Tree:
    """Return the label whose AUROC is, as the mean over the seeds, furthest below the parent's."""
    falls: dict[str, list[float]] = {}
    for seed in share.scores(method).index:
        at_seed = share.rows[share.rows["seed"] == seed].set_index("method")["labels"]
        own, whole = (json.loads(at_seed[x]) for x in (method, PARENT))
        for label, score in whole.items():
            if score is not None:
                falls.setdefault(label, []).append(score - own[label])
    means = {label: math.fsum(some) / len(some) for label, some in falls.items()}
    worst = max(means, key=means.__getitem__)
    return {"label": worst, "fall": means[worst], "falls": means}


def paired(share: Share, one: str, other: str) -> Tree:
    """Return one less the other: each seed's difference, the mean and Student's interval."""
    found = (share.scores(one) - share.scores(other)).dropna()
    mean = student.mean(found.tolist())
    seeds = {str(seed): float(value) for seed, value in found.items()}
    said = "can't tell"
    if mean.low is not None and mean.high is not None:
        said = "above zero" if mean.low > 0 else "below zero" if mean.high < 0 else said
    return {"seeds": seeds, "mean": mean.value, "low": mean.low, "high": mean.high, "verdict": said}


def bootstrap(share: Share, one: str, other: str) -> Tree | None:
    """Return one less the other with its interval over patients, by seed and for all seeds together.

    None where the resamples are not there (rows of a folder that lost them).
    """
    both = (share.scores(one) - share.scores(other)).dropna()
    try:
        draws = {seed: share.draws(one, seed) - share.draws(other, seed) for seed in both.index}
    except KeyError:
        return None
    together = np.mean(np.stack(list(draws.values())), axis=0)
    return {
        "together": _interval(float(both.mean()), together),
        "seeds": {str(seed): _interval(float(both[seed]), some) for seed, some in draws.items()},
    }


def _interval(value: float, draws_B: np.ndarray) -> Tree:
    found = intervals.percentile(draws_B, confidence=0.95)
    known = draws_B[~np.isnan(draws_B)]
    bound = float(np.quantile(known, 0.95)) if len(known) else None
    ends = {
        key: None if math.isnan(x) else x for key, x in (("low", found.low), ("high", found.high))
    }
    return {"value": value, **ends, "bound_95": bound, "left_out": found.left_out}


def _unmatched(share: Share) -> list[str]:
    """Say which rows have too few MACs to be equal rivals."""
    cut = share.rows[share.rows["method"] != PARENT]
    few = cut[cut["filled"] < 1 - WITHIN]
    return [
        f"{row.method}, seed {row.seed}: {row.filled:.3f} of the MACs allowed"
        for row in few.itertuples()
    ]


def _goals(share: Share, found: Tree) -> Iterator[Tree]:
    """Yield what was to be reached and whether it is."""
    spread = found["bootstrap"]
    for words, some in (("every baseline", BASELINES), ("every usual baseline", USUAL)):
        worst = min(one["mean"] for name, one in found["differences"].items() if name in some)
        yield _goal(
            f"evolved at least as good as {words}, in the mean over seeds", worst, worst >= 0
        )
    rivals = {found[key]: key for key in ("best_baseline", "best_usual")}
    for rival, key in rivals.items():
        if (ahead := spread[f"evolved_less_{key}"]) is not None:
            low = ahead["together"]["low"]
            words = (
                f"evolved less {rival}: the interval over patients above zero, all seeds together"
            )
            yield _goal(words, low, low is not None and low > 0)
        low = found["differences"][rival]["low"]
        words = f"evolved less {rival}: the interval over seeds above zero"
        yield _goal(words, low, low is not None and low > 0)
    most = LOSS_BOUNDS.get((share.data, share.percent))
    for uncut, cut in itertools.product(share.uncut, (EVOLVED, PICK)):
        loss = spread[f"{uncut}_less_{cut}"]
        if most is not None and loss is not None:
            bound = loss["together"]["bound_95"]
            words = f"{uncut} less {cut}: the upper 95 % bound over patients at most {most:g}"
            yield _goal(words, bound, bound is not None and bound <= most)
    yield _goal(
        f"MACs of all rows within {WITHIN:.0%}", len(found["unmatched"]), not found["unmatched"]
    )


def _goal(words: str, value: float | None, met: bool) -> Tree:
    return {"goal": words, "value": value, "met": bool(met)}


def table(summary: Mapping[str, Any]) -> pd.DataFrame:
    """Return a row per data set, share and method: means over seeds, and evolved less it."""
    found = []
    for data, about in summary.items():
        found += [_line(data, WHOLE, method, said, {}) for method, said in about["uncut"].items()]
        for percent, share in about["shares"].items():
            for method, said in share["methods"].items():
                found.append(_line(data, int(percent), method, said, share["differences"]))
    return pd.DataFrame(found)


def _line(data: str, percent: int, method: str, said: Tree, differences: Tree) -> Tree:
    worst, less = said.get("worst_label", {}), differences.get(method, {})
    return {
        "data": data, "share": percent, "method": method, "seeds": said["seeds"],
        "macs": said["macs"], "parameters": said["parameters"], "auroc": said["auroc"]["mean"],
        "accuracy": said["accuracy"]["mean"], "worst_label": worst.get("label", ""),
        "worst_fall": worst.get("fall", math.nan), "evolved_less_it": less.get("mean", math.nan),
        "low": less.get("low", math.nan), "high": less.get("high", math.nan), "filled": said["filled"],
    }  # fmt: skip


def lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield the verdict in words."""
    for data, about in summary.items():
        yield f"{data}, judged on {about['judged_on']}:"
        yield from (f"  {_said(method, said)}" for method, said in about["uncut"].items())
        if len(about["versions"]) > 1:
            yield f"  its rows were made by {len(about['versions'])} versions of the code"
        for percent, share in about["shares"].items():
            yield f"  at {percent} % of the MACs:"
            for method, said in share["methods"].items():
                yield f"    {_said(method, said)}{_less(share['differences'].get(method))}"
            yield from (f"    not matched: {line}" for line in share["unmatched"])
            for goal in share["goals"]:
                value = "none" if goal["value"] is None else f"{goal['value']:+.4f}"
                yield f"    {'met' if goal['met'] else 'NOT MET'}: {goal['goal']} ({value})"


def _said(method: str, said: Tree) -> str:
    worst = said.get("worst_label")
    tail = f", worst label {worst['label']} {-worst['fall']:+.4f}" if worst else ""
    return (
        f"{WORDS[method]}: AUROC {said['auroc']['mean']:.4f}, accuracy {said['accuracy']['mean']:.4f}, "
        f"{said['macs'] / 1e6:.2f} M MACs, {said['parameters'] / 1e6:.3f} M parameters, "
        f"{said['seeds']} seed(s){tail}"
    )


def _less(found: Tree | None) -> str:
    if found is None:
        return ""
    ends = "" if found["low"] is None else f" ({found['low']:+.4f} to {found['high']:+.4f})"
    return f"; evolved less it {found['mean']:+.4f}{ends}: {found['verdict']}"
