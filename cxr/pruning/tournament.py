"""A whole pruning: what each group can spare, the baselines, a search per fold and share, the contest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cxr import progress
from cxr.evolution.genes import Asked, Evaluated, Genome
from cxr.pruning import baselines, candidates, contest, fitness, methods, sensitivity
from cxr.pruning.candidates import Key, Space
from cxr.pruning.contest import Entrant
from cxr.pruning.encoding import Encoding
from cxr.pruning.judging import Judge, Network
from cxr.pruning.settings import Terms


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one fold at one share."""

    fold: int
    share: float
    space: Space
    evaluated: Sequence[Evaluated]
    """the candidates in the order of the search"""
    found: Mapping[tuple[Genome, int], Mapping[str, Any]]
    """what was said of each of them, by genome and rung"""
    origins: Mapping[Genome, str]
    """the methods of those that the first generation started with"""
    entrants: Sequence[Entrant]
    """of the contest"""


def say_plan(spaces: Sequence[Space], terms: Terms, *, words: str) -> None:
    """Say how much is to be done: at most, since a network that is asked for twice is judged once."""
    searches, others = len(spaces) * len(terms.shares), len(methods.METHODS) - 1
    entries = terms.contest.evolved + others
    alone = sum(1 + len(sensitivity.asked(space.ranked["l1_norm"])) for space in spaces)
    tried = terms.population * terms.generations
    climb = terms.survivors.networks * terms.generations if terms.survivors else 0
    allowed = ", ".join(map(_percent, terms.shares))
    progress.say(
        f"{words}: {len(spaces)} fold(s), {len(spaces[0].encoding.genes)} genes for "
        f"{len(spaces[0].groups)} groups of channels, {allowed} of {spaces[0].macs:,} MACs; at most "
        f"{alone + searches * (tried + entries):,} evaluations and {searches * (climb + entries):,} "
        "short trainings"
    )


def hold(judge: Judge, terms: Terms, *, seed: int) -> tuple[list[dict[str, Any]], list[Outcome]]:
    """Return what was found of each fold's whole parent, and what came of each fold and share.

    All networks of a share cost the same MACs, so the first objective decides alone; where the folds
    were timed, microseconds are the second. Raises ValueError, before anything is judged, for a share
    that can't be reached.
    """
    spaces = [start.space for start in judge.starts]
    limits = {
        (fold, share): candidates.limit(space, share)
        for fold, space in enumerate(spaces)
        for share in terms.shares
    }
    say_plan(spaces, terms, words=judge.words)
    wholes, losses = _alone(judge)
    cuts = {
        which: baselines.cuts(spaces[which[0]], macs=macs, losses=losses[which[0]])
        for which, macs in limits.items()
    }
    origins = {which: _origins(spaces[which[0]], own) for which, own in cuts.items()}
    rounds = _Rounds(judge, terms, wholes, limits)
    evaluated = candidates.explore(
        spaces, terms.shares, rounds.evaluate,
        genomes={which: list(own) for which, own in origins.items()},
        population=terms.population, generations=terms.generations,
        survivors=terms.survivors.networks if terms.survivors else None, seed=seed,
    )  # fmt: skip
    entries = {
        which: contest.enter(
            spaces[which[0]], tried, cuts[which],
            macs=limits[which], window=terms.window, evolved=terms.contest.evolved,
        )
        for which, tried in evaluated.items()
    }  # fmt: skip
    entrants = contest.hold(judge, entries, samples=terms.contest.samples)
    outcomes = [
        Outcome(
            fold=which[0], share=which[1], space=spaces[which[0]], evaluated=evaluated[which],
            found=rounds.found[which], origins=origins[which], entrants=entrants[which],
        )
        for which in limits
    ]  # fmt: skip
    return wholes, outcomes


def _alone(judge: Judge) -> tuple[list[dict[str, Any]], list[dict[Genome, float]]]:
    """Judge each fold's parent, whole and with one group at a time cut: what is found, and the losses."""
    codes = [start.space.ranked["l1_norm"] for start in judge.starts]
    asked = [
        (fold, genome)
        for fold, code in enumerate(codes)
        for genome in dict.fromkeys([code.whole, *sensitivity.asked(code)])
    ]
    said = judge.cut([_network(fold, codes[fold], genome) for fold, genome in asked])
    losses: list[dict[Genome, float]] = [{} for _ in codes]
    for (fold, genome), found in zip(asked, said, strict=True):
        losses[fold][genome] = fitness.number(found["loss"])
    wholes = [found for (fold, x), found in zip(asked, said, strict=True) if x == codes[fold].whole]
    return wholes, losses


def _origins(space: Space, cuts: Mapping[str, tuple[Encoding, Genome]]) -> dict[Genome, str]:
    """Return the baselines as genomes of the search, with their methods; of equal ones the first."""
    found: dict[Genome, str] = {}
    for method, genome in candidates.seeds(space, cuts).items():
        found.setdefault(genome, method)
    return found


def _percent(share: float) -> str:
    return f"{methods.percent(share)} %"


def _network(fold: int, encoding: Encoding, genome: Genome) -> Network:
    return Network(fold, encoding.kept(genome), encoding.macs(genome))


class _Rounds:
    """What is known between two rounds; a round judges one rung of one generation of all searches."""

    def __init__(
        self, judge: Judge, terms: Terms, wholes: Sequence[dict[str, Any]],
        searches: Mapping[Key, int],
    ) -> None:  # fmt: skip
        self.found: dict[Key, dict[tuple[Genome, int], dict[str, Any]]] = {x: {} for x in searches}
        self._judge, self._terms, self._wholes = judge, terms, wholes
        self._generation = 0

    def evaluate(self, waiting: list[tuple[Key, Asked]]) -> list[tuple[float, ...]]:
        """Return the objectives of what all searches ask for."""
        rung = waiting[0][1].rung
        assert all(asked.rung == rung for _, asked in waiting), "the searches are out of step"
        networks = [
            _network(fold, self._judge.starts[fold].space.encoding, asked.genome)
            for (fold, _), asked in waiting
        ]
        found = self._judged(networks, rung)
        for (which, asked), result in zip(waiting, found, strict=True):
            self.found[which][asked.genome, rung] = result
        if rung == int(self._terms.survivors is not None):
            self._generation += 1
            progress.say(self._line(rung))
        return [
            self._objectives(fold, asked.genome, network, result)
            for ((fold, _), asked), network, result in zip(waiting, networks, found, strict=True)
        ]

    def _judged(self, networks: Sequence[Network], rung: int) -> list[dict[str, Any]]:
        if rung == 0:
            return self._judge.cut(networks)
        assert self._terms.survivors is not None
        return self._judge.trained(networks, samples=self._terms.survivors.samples)

    def _objectives(
        self, fold: int, genome: Genome, network: Network, found: Mapping[str, Any]
    ) -> tuple[float, ...]:
        first = fitness.objective(
            found, self._wholes[fold],
            fitness=self._terms.fitness, worst_label=self._terms.worst_label,
        )  # fmt: skip
        start = self._judge.starts[fold]
        if start.timing:
            return first, start.timing.microseconds(genome)
        return first, 0.0  # all cost the same: a thousandth less must save none from being beaten

    def _line(self, rung: int) -> str:
        """Say for each share the highest AUROC so far, as the mean over the folds."""
        said = []
        for share in self._terms.shares:
            best = [
                max(one["auroc"] for (_, at), one in found.items() if at == rung)
                for (_, own), found in self.found.items()
                if own == share
            ]
            said.append(f"{sum(best) / len(best):.3f} at {_percent(share)}")
        return (
            f"{self._judge.words}: generation {self._generation} of {self._terms.generations}, highest "
            f"AUROC on search_val so far {', '.join(said)} of the MACs"
        )
