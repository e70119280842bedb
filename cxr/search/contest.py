"""Runs the searches of all folds and methods in lock step, and says after each generation how it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cxr import progress
from cxr.evolution.genes import Asked, Search
from cxr.evolution.hypervolume import covered
from cxr.evolution.together import run_together
from cxr.search import candidates
from cxr.search.candidates import Which
from cxr.search.judging import Asking, Judge
from cxr.search.settings import Terms
from cxr.search.space import Space

DRAWS = "search"
"""Name of the random draws of all rungs: other ones than those of the finalists."""


def explore(
    searches: Mapping[Which, Search],
    space: Space,
    judge: Judge,
    terms: Terms,
    *,
    max_macs: int,
    later: int = 0,
) -> tuple[candidates.Tried, candidates.Results]:
    """Run all searches to their end; return what each tried, and what was found of every network.

    A network that both methods try in a fold is trained once. For the lines of progress: `max_macs`
    bounds the hypervolume, `later` images are to be seen after the searches.
    """
    contest = _Contest(searches, space, judge, terms, max_macs, later)
    return run_together(searches, contest.evaluate), contest.results


class _Contest:
    """What is known between two rounds; a round judges one rung of one generation of all searches."""

    def __init__(
        self, searches: Mapping[Which, Search], space: Space, judge: Judge, terms: Terms,
        max_macs: int, later: int,
    ) -> None:  # fmt: skip
        self.results: dict[tuple[int, str, int], dict[str, Any]] = {}
        self._space, self._judge, self._terms, self._later = space, judge, terms, later
        self._max_macs = max_macs
        self._top: dict[Which, list[dict[str, Any]]] = {which: [] for which in searches}
        self._generation = 0

    def evaluate(self, waiting: list[tuple[Which, Asked]]) -> list[tuple[float, ...]]:
        """Return the objectives of what all searches ask for."""
        rung = waiting[0][1].rung
        assert all(asked.rung == rung for _, asked in waiting), "the searches are out of step"
        networks = [(fold, self._space.identity(asked.genome)) for (fold, _), asked in waiting]
        samples = self._terms.rungs[rung].samples
        found = self._judge.train([Asking(*which, samples, DRAWS) for which in networks])
        for (fold, network), result in zip(networks, found, strict=True):
            self.results[fold, network, rung] = result
        if rung == self._terms.top:
            for (which, _), result in zip(waiting, found, strict=True):
                self._top[which].append(result)
            self._generation += 1
            progress.say(self._line())
        return [candidates.objectives(result, self._terms.score) for result in found]

    def _line(self) -> str:
        """Say for each method the best so far and the hypervolume, as means over the folds."""
        score, said = self._terms.score, []
        for method in self._terms.methods:
            tops = [found for (_, name), found in self._top.items() if name == method]
            best = [min(found, key=lambda x: (-x[score], x["macs"])) for found in tops]
            areas = [
                covered([x[score] for x in found], [x["macs"] for x in found], max_macs=self._max_macs)
                for found in tops
            ]  # fmt: skip
            said.append(
                f"{method} {_mean([x[score] for x in best]):.3f} at "
                f"{_mean([x['macs'] for x in best]) / 1e6:.1f} M MACs, "
                f"hypervolume {_mean(areas):.3f}"
            )
        ahead = self._terms.generations - self._generation
        left = self._judge.seconds(self._later + ahead * self._terms.samples() * len(self._top))
        time = "" if left is None else f"; about {left:.0f} s left"
        return (
            f"{self._judge.words}: generation {self._generation} of {self._terms.generations}, best "
            f"{score} so far: {'; '.join(said)}{time}"
        )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
