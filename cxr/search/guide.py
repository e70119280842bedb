"""Chooses among children by what was found so far: how much each choice of a space is worth.

Every network that was trained says something of the choices it is made of. Their main effects (see
`cxr.evolution.effects`) foretell the scores of children that were not trained yet, and of many
children the most promising takes the place: in turn the one of the highest score, and the one that
would add most to what the front covers, whose MACs are known beforehand. Nothing but this search's own
evaluations is looked at. How the forecasts turned out is reported (`proof`).

Source of the idea: Lu, Deb, Goodman, Banzhaf & Boddeti (2020), "NSGANetV2: evolutionary
multi-objective surrogate-assisted neural architecture search", ECCV.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cxr import seeding
from cxr.evolution import effects
from cxr.evolution.effects import Effects
from cxr.evolution.genes import Evaluated, Genome
from cxr.evolution.hypervolume import hypervolume
from cxr.evolution.survival import Reference
from cxr.metrics import rank
from cxr.search.settings import Rung
from cxr.search.space import Space


class Guide:
    """The guide of one search."""

    def __init__(
        self, space: Space, rungs: Sequence[Rung], reference: Reference,
        *, draws: int, seed: int, fold: int,
    ) -> None:  # fmt: skip
        self._space, self._reference = space, reference
        self._weights = [rung.samples / rungs[-1].samples for rung in rungs]
        self._known: tuple[int, Effects] | None = None
        self._stream = (seed, "search", "guide", fold)
        self.draws = draws

    def prefer(self, genomes: Sequence[Genome], place: int, found: Sequence[Evaluated]) -> int:
        """Return the index of the most promising genome for a generation's `place`, the first of equals.

        Of even places the highest score decides, of odd ones the area that is added to the front's.
        """
        known = self._effects(found)
        scores = [self._forecast(known, genome) for genome in genomes]
        if place % 2 == 0:
            return int(np.argmax(scores))
        top = len(self._weights) - 1
        front_N2 = np.array([one.objectives for one in found if one.rung == top])
        points = [
            (1.0 - score, float(self._space.cost(genome).macs))
            for genome, score in zip(genomes, scores, strict=True)
        ]
        areas = [hypervolume(np.vstack([front_N2, point]), self._reference) for point in points]
        return max(range(len(genomes)), key=lambda i: (areas[i], scores[i], -i))

    def proof(self, found: Sequence[Evaluated]) -> tuple[bool, rank.Tau]:
        """Return that it chose, and how forecasts rank the networks of generations 1 and up as rung 0 did."""
        said, scores = [], []
        for generation in range(1, 1 + max(one.generation for one in found)):
            known = self._effects([one for one in found if one.generation < generation])
            new = [one for one in found if one.generation == generation and one.rung == 0]
            said += [self._forecast(known, one.genome) for one in new]
            scores += [1.0 - one.objectives[0] for one in new]
        return True, rank.tau(said, scores, rng=seeding.stream(*self._stream))

    def _forecast(self, known: Effects, genome: Genome) -> float:
        return known.score(self._levels(genome, len(self._weights) - 1))

    def _effects(self, found: Sequence[Evaluated]) -> Effects:
        """Return the effects that `found` shows; what is longer holds what is shorter."""
        if self._known is None or self._known[0] != len(found):
            levels = [self._levels(one.genome, one.rung) for one in found]
            scores = [1.0 - one.objectives[0] for one in found]
            weights = [self._weights[one.rung] for one in found]
            self._known = len(found), effects.estimate(levels, scores, weights)
        return self._known[1]

    def _levels(self, genome: Genome, rung: int) -> effects.Levels:
        """Return the genes, the size of the network in steps of the square root of 2, and the rung."""
        cost = self._space.cost(genome)
        sizes = ((number * number).bit_length() for number in (cost.macs, cost.activation_bytes))
        return (*genome, *sizes, rung)
