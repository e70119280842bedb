"""A whole search: the methods' contest, the finalists beside the baselines, and what to learn from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cxr import progress
from cxr.evolution.genes import Search
from cxr.search import candidates, contest, correlations, finalists, fitness, rivals, summary
from cxr.search import prefilter as prefilters
from cxr.search.candidates import Which
from cxr.search.guide import Guide
from cxr.search.judging import Judge
from cxr.search.rivals import Chooser
from cxr.search.settings import LARGEST, Finalists, Terms
from cxr.search.settings import Prefilter as PrefilterSettings
from cxr.search.space import Space
from cxr.training.loop import Tensors


@dataclass(frozen=True, kw_only=True)
class Field:
    """Who competes, before anything is trained."""

    space: Space
    terms: Terms
    searches: Mapping[Which, Search]
    """by fold and method"""
    choosers: Sequence[Chooser]
    """one for each fold, or none"""
    baselines: Sequence[str]
    largest: str
    """the network that the baseline of this name stands for"""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a search found, as tables, numbers and weights."""

    candidates: pd.DataFrame
    finalists: pd.DataFrame
    correlations: pd.DataFrame
    metrics: dict[str, Any]
    picks: Mapping[Which, str]
    """architectures as canonical JSON, by fold and method"""
    tensors: Mapping[Which, Tensors]
    """of the picks' backbones"""


def draw_up(
    space: Space,
    folds: Sequence[fitness.Task],
    terms: Terms,
    *,
    baselines: Sequence[str],
    prefilter: PrefilterSettings | None,
    seed: int,
) -> Field:
    """Return who competes; raise ValueError for what can't, before anything is trained."""
    finalists.check(baselines)
    choosers = _choosers(space, folds, terms, prefilter, seed=seed)
    searches = rivals.searches(space, terms, folds=len(folds), seed=seed, choosers=choosers)
    largest = space.identity(space.largest(seed, "search")) if LARGEST in baselines else ""
    return Field(
        space=space, terms=terms, searches=searches, choosers=choosers, baselines=baselines,
        largest=largest,
    )  # fmt: skip


def _choosers(
    space: Space, folds: Sequence[fitness.Task], terms: Terms, prefilter: PrefilterSettings | None,
    *, seed: int,
) -> Sequence[Chooser]:  # fmt: skip
    """Return what chooses among evolution's children, one for each fold, or none."""
    if "evolved" not in terms.methods:
        return []
    if prefilter:
        return prefilters.make(prefilter, space, folds, seed=seed)
    if terms.guide == 1:
        return []
    reference = rivals.reference(space)
    return [
        Guide(space, terms.rungs, reference, draws=terms.guide, seed=seed, fold=fold)
        for fold in range(len(folds))
    ]


def hold(
    field: Field, judge: Judge, settings: Finalists, *, max_macs: int, run: str, seed: int
) -> Outcome:
    """Search, train the finalists anew, pick, and compare.

    The picks' tensors are kept in `judge.kept(run)` until the caller, who has put them elsewhere,
    removes that folder.
    """
    terms, folds = field.terms, len(judge.folds)
    rungs = ", ".join(f"{rung.networks} on {rung.samples:,} images" for rung in terms.rungs)
    progress.say(
        f"{judge.words}: {' and '.join(terms.methods)}, {folds} fold(s), "
        f"{terms.generations} generation(s) of {rungs} each"
    )
    later = folds * finalists.samples(settings, terms, len(field.baselines))
    tried, results = contest.explore(
        field.searches, field.space, judge, terms, max_macs=max_macs, later=later
    )  # fmt: skip
    table = candidates.table(tried, results, field.space.identity)
    chosen = finalists.choose(table, networks=settings.networks, score=terms.score)
    entered = finalists.enter(chosen, field.baselines, folds=folds, largest=field.largest)
    finals = finalists.train(entered, settings, judge, score=terms.score)
    best = finalists.picks(finals, score=terms.score)
    picks = {which: best[which] for which in chosen}
    table = candidates.mark(table, picks)
    proxies = judge.proxies(correlations.networks(table), correlations.names())
    related = correlations.table(table, proxies, score=terms.score, seed=seed)
    tensors = finalists.weights(picks, settings, judge, run=run)
    metrics = summary.metrics(
        table, finals, related, terms, max_macs=max_macs,
        proofs=[
            chooser.proof(tried[fold, "evolved"]) for fold, chooser in enumerate(field.choosers)
        ],
    )  # fmt: skip
    return Outcome(
        candidates=table, finalists=finals, correlations=related,
        metrics=metrics, picks=picks, tensors=tensors,
    )  # fmt: skip
