"""Lets a cheap proxy choose among children, but only where it has proved itself on this very task.

The proof: Kendall's tau between the proxy and the score of generation 0's networks at the first
rung, with a bootstrap interval that lies above zero. Otherwise the first child is taken, as without
a pre-filter. A proxy that prefers costly networks pulls the search to that end of the front: watch
the front in the report. Zero-cost proxies often say no more than the size of a network (White et
al. 2022, "A deeper look at zero-cost proxies for lightweight NAS", ICLR blog track), and so does
much of what is proved here.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np

from cxr import plugins, seeding
from cxr.evolution.genes import Evaluated, Genome
from cxr.metrics import rank
from cxr.search import fitness
from cxr.search.settings import Prefilter as Settings
from cxr.search.space import Space


class Prefilter:
    """Prefers nothing until its proxy is proven."""

    def __init__(
        self, proxy: Callable[[Genome], float], *, draws: int, seed: int, fold: int
    ) -> None:
        self._proxy, self._stream = proxy, (seed, "search", "prefilter", fold)
        self._proof: tuple[bool, rank.Tau] | None = None
        self.draws = draws

    def proof(self, found: Sequence[Evaluated]) -> tuple[bool, rank.Tau]:
        """Compare the proxy with the scores of generation 0; return whether it may choose, and tau."""
        if self._proof is None:  # generation 0 stays what it was
            first = [one for one in found if one.generation == one.rung == 0]
            said = [self._proxy(one.genome) for one in first]
            scores = [1.0 - one.objectives[0] for one in first]
            tau = rank.tau(said, scores, rng=seeding.stream(*self._stream))
            self._proof = tau.low is not None and tau.low > 0, tau
        return self._proof

    def prefer(self, genomes: Sequence[Genome], place: int, found: Sequence[Evaluated]) -> int:
        """Return the index of the genome of the highest proxy, the first among equals."""
        if not self.proof(found)[0]:
            return 0
        return int(np.argmax([self._proxy(genome) for genome in genomes]))


def make(
    settings: Settings, space: Space, folds: Sequence[fitness.Task], *, seed: int
) -> list[Prefilter]:
    """Return a pre-filter for each fold; raise ValueError for an unknown proxy."""
    plugins.check("search/proxies", settings.proxy)

    def proxy(task: fitness.Task) -> Callable[[Genome], float]:
        def score(genome: Genome) -> float:
            asked = fitness.given(task, space.identity(genome), samples=1, draws="proxies")
            found = fitness.proxies(asked, (settings.proxy,))[settings.proxy]
            return -math.inf if found is None else found

        return functools.cache(score)

    return [
        Prefilter(proxy(task), draws=settings.draws, seed=seed, fold=fold)
        for fold, task in enumerate(folds)
    ]
