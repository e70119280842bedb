"""Evolution against random search on one seed, by the stage's own code, judged on held-out images.

The search, its finalists and its picks are the stage's: see `stages.search`. What is added looks at
held-out images (val in development, test to confirm) and chooses nothing: each method's front, trained
as on the top rung, and each method's pick, both as means over the finalists' number of trainings.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from cxr import artifacts, manifest, prepared, scratch
from cxr.evolution.hypervolume import covered
from cxr.search import contest, finalists, tournament
from cxr.search.judging import Asking, Judge
from cxr.search.space import Space
from stages import search

Part = Literal["val", "test"]
_MARGIN = 1.3  # of the guess of a batch's time: it must end before the sitting does


class Over(Exception):
    """The sitting's time is used up; what was trained is on record."""


@dataclass
class Timed(Judge):
    """A judge that begins nothing that would not end in time."""

    deadline: float = math.inf
    """of time.monotonic"""

    def train(self, asked: Sequence[Asking], *, finalists: bool = False) -> list[dict[str, Any]]:
        """Train as every judge does; raise Over if there is no time for it."""
        needed = self.seconds(sum(one.samples for one in asked)) or 0.0
        if time.monotonic() + _MARGIN * needed > self.deadline:
            raise Over
        return super().train(asked, finalists=finalists)


@dataclass(frozen=True, kw_only=True)
class Duel:
    """One seed of one data set, ready to be run."""

    settings: search.Params
    space: Space
    max_macs: int
    judge: Timed
    """trains on train, scores on search_val, looks at val"""
    held: Timed
    """the same, but it looks at the held-out images"""
    seed: int


def prepare(
    words: str, settings: search.Params, folder: Path, scratch_root: Path,
    *, seed: int, part: Part, deadline: float = math.inf,
) -> Duel:  # fmt: skip
    """Open prepared images and divisions in `folder`; records go under `scratch_root`."""
    images, splits = (
        prepared.read(folder / "prepared"),
        artifacts.read_csv(folder / "splits.csv"),
    )
    tasks = search.tasks(
        settings, images.index, splits, prepared_folder=folder / "prepared", seed=seed
    )
    space, max_macs = search.open_space(
        settings, labels=len(manifest.labels(images.index)), size_px=images.size_px, where=words
    )
    inputs = [folder / "prepared", folder / "splits.csv"]
    records = scratch.folder(
        "bench-search", inputs=inputs, settings=search.deciding(settings, seed), root=scratch_root
    )
    judge = Timed(tasks, records, words, deadline=deadline)
    if part == "val":
        return Duel(
            settings=settings, space=space, max_macs=max_macs, judge=judge, held=judge, seed=seed
        )
    rows = prepared.rows(images.index, splits, part)
    # what is written val in these records is of the held-out part: a folder of their own
    tasks = [dataclasses.replace(task, val_rows=own) for task, own in zip(tasks, rows, strict=True)]
    held = Timed(tasks, records / part, f"{words}, {part}", deadline=deadline)
    return Duel(
        settings=settings, space=space, max_macs=max_macs, judge=judge, held=held, seed=seed
    )


def images(duel: Duel, part: str) -> int:
    """Return how many images the networks of both searches are shown at most, baselines left out."""
    settings, terms = duel.settings, duel.settings.terms()
    methods = len(terms.methods)
    tried = methods * terms.generations * terms.samples()
    # a front of about half as many networks as there are generations
    fronts = methods * terms.generations * terms.rungs[-1].samples * settings.finalists.seeds // 2
    again = methods * (each(settings, part) - each(settings, "val"))
    return tried + fronts + finalists.samples(settings.finalists, terms, 0) + again


def each(settings: search.Params, part: str) -> int:
    """Return how many images a baseline is shown; judged on test, it is trained once more."""
    return settings.finalists.seeds * settings.finalists.samples * (1 if part == "val" else 2)


def run(duel: Duel, *, baselines: bool, opened: Callable[[], None]) -> list[dict[str, Any]]:
    """Search, pick, and judge on held-out images; return a row for each method and baseline.

    `opened` is called before held-out images are first looked at: nothing is chosen after that.
    """
    settings = duel.settings
    field = tournament.draw_up(
        duel.space, duel.judge.folds, settings.terms(),
        baselines=settings.baselines if baselines else [],
        prefilter=settings.prefilter, seed=duel.seed,
    )  # fmt: skip
    outcome = tournament.hold(
        field, duel.judge, settings.finalists, max_macs=duel.max_macs, run="bench", seed=duel.seed
    )
    scratch.finish(duel.judge.kept("bench"))  # weights are not asked for here
    finals, table = outcome.finalists, outcome.candidates
    picks = finalists.picks(finals, score=settings.score)
    opened()
    judged = _judged(duel, list(dict.fromkeys(picks.values())))
    return [
        {
            **_pick(finals, method, picks[0, method], judged[picks[0, method]]),
            **(
                _front(duel, table[table["method"] == method]) if method in settings.methods else {}
            ),
        }
        for _, method in picks
    ]


def _judged(duel: Duel, networks: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return what held-out images say of networks trained as finalists, a result for each seed."""
    settings = duel.settings.finalists
    asked = [
        finalists.asking((0, network), seed, settings)
        for network in networks
        for seed in range(settings.seeds)
    ]
    found = iter(duel.held.train(asked, finalists=True))
    return {network: list(itertools.islice(found, settings.seeds)) for network in networks}


def _pick(
    finals: pd.DataFrame, method: str, network: str, judged: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return the pick's scores, means over its seeds."""
    mine = finals[(finals["method"] == method) & (finals["network"] == network)]
    auroc, accuracy = ([_known(x[f"val_{key}"]) for x in judged] for key in ("auroc", "accuracy"))
    return {
        "method": method,
        "auroc": statistics.fmean(auroc),
        "accuracy": statistics.fmean(accuracy),
        "auroc_sd": statistics.stdev(auroc) if len(auroc) > 1 else None,
        "accuracy_sd": statistics.stdev(accuracy) if len(accuracy) > 1 else None,
        "search_val_auroc": float(mine["search_val_auroc"].mean()),
        "macs": int(mine["macs"].iloc[0]),
        "parameters": int(mine["parameters"].iloc[0]),
        "network": network,
    }


def _front(duel: Duel, rows: pd.DataFrame) -> dict[str, Any]:
    """Return what one search tried, and what its front covers: on search_val, and held out.

    The front's networks are trained once more as the top rung trained them (assert that it is so), and
    as often with other draws as makes the finalists' number of seeds; held out, their mean counts: one
    training's luck is as large as what one front is ahead of the other.
    """
    score, most = duel.settings.score, duel.max_macs
    front = rows[rows["front"] == 1]
    samples = duel.settings.rungs[-1].samples
    asked = [
        Asking(0, network, samples, draws)
        for draws in _draws(duel.settings)
        for network in front["architecture"]
    ]
    judged = duel.held.train(asked, finalists=True)
    same = [result[score] for result in judged[: len(front)]] == front[score].tolist()
    assert same, "the front's networks do not score as they did in the search"
    held = [
        statistics.fmean(_known(result[f"val_{score}"]) for result in judged[place :: len(front)])
        for place in range(len(front))
    ]
    return {
        "networks": int((rows["rung"] == 0).sum()),
        "samples": int(rows["samples"].sum()),
        "front": len(front),
        "hypervolume": covered(held, front["macs"], max_macs=most),
        "search_val_hypervolume": covered(front[score], front["macs"], max_macs=most),
    }


def _draws(settings: search.Params) -> list[str]:
    return [contest.DRAWS, *(f"front {again}" for again in range(1, settings.finalists.seeds))]


def _known(score: float | None) -> float:
    """Return a score; one that is undefined counts as none, which a network that diverged has too."""
    return 0.0 if score is None else float(score)
