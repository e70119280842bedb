"""Pruned networks that need no search: the same share everywhere, or one threshold for all filters.

The search must be worth its cost against them; their genomes also start its first generation. Each is
grown (see `draws`) along its own rule, so all are as large as the allowed MACs permit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from cxr.evolution.genes import Genome
from cxr.pruning import draws, sensitivity
from cxr.pruning.draws import Step
from cxr.pruning.encoding import Encoding

if TYPE_CHECKING:
    from cxr.pruning.candidates import Space


def cuts(
    space: Space, *, macs: int, losses: Mapping[Genome, float]
) -> dict[str, tuple[Encoding, Genome]]:
    """Return what each method leaves of a network within `macs`, in the order of `methods`.

    `losses`: of what `sensitivity.asked` names for the encoding by l1_norm, and of the whole network.
    A method is absent whose criterion ranks so few groups that the others alone have more MACs.
    Raises ValueError if so few MACs can't be reached at all.
    """
    by: dict[str, tuple[str, Callable[[Encoding], Genome]]] = {
        "uniform": ("l1_norm", lambda ranked: uniform(ranked, macs=macs)),
        "global": ("l1_norm", lambda ranked: threshold(ranked, macs=macs, relative=True)),
        "bn_scale": ("bn_scale", lambda ranked: threshold(ranked, macs=macs, relative=False)),
        "taylor": ("taylor", lambda ranked: threshold(ranked, macs=macs, relative=False)),
        "reconstruction": (
            "reconstruction",
            lambda ranked: threshold(ranked, macs=macs, relative=False),
        ),
        "random": ("random", lambda ranked: uniform(ranked, macs=macs)),
        "sensitivity": ("l1_norm", lambda ranked: sensitivity.genome(ranked, losses, macs=macs)),
    }
    return {
        method: (space.ranked[criterion], cut(space.ranked[criterion]))
        for method, (criterion, cut) in by.items()
        if criterion == "l1_norm" or _reaches(space.ranked.get(criterion), macs)
    }


def _reaches(ranked: Encoding | None, macs: int) -> bool:
    return ranked is not None and ranked.macs(ranked.smallest) <= macs


def uniform(encoding: Encoding, *, macs: int) -> Genome:
    """Return the largest same share of every group (to the nearest choice) within `macs`.

    What is then left goes to the groups that would be next, from the front of the network on. Raises
    ValueError if even the smallest network has more MACs.
    """
    return draws.grow(encoding, lambda step: step.place, macs=macs)


def threshold(encoding: Encoding, *, macs: int, relative: bool) -> Genome:
    """Return what the lowest threshold within `macs` leaves, over the scores of all groups at once.

    A filter stays if its score reaches the threshold, and each count goes to the nearest choice; what
    is then left goes to what would be next. `relative`: the scores of each group are divided by their
    mean, else whole layers would go whose weights are small. Raises ValueError if even the smallest
    network has more MACs.
    """
    scores = [_relative(own) if relative else own for own in encoding.scores]

    def order(step: Step) -> float:
        choice = encoding.choices[step.gene]
        needed = -(
            -(choice[step.value - 1] + choice[step.value]) // 2
        )  # half way to the next choice
        return -scores[step.gene][needed - 1]

    return draws.grow(encoding, order, macs=macs)


def _relative(scores: tuple[float, ...]) -> tuple[float, ...]:
    mean = float(np.mean(scores))
    return tuple(score / mean for score in scores) if mean > 0 else scores
