"""Pruned networks that need no search: the same share everywhere, or one threshold for all filters.

The search must be worth its cost against them; their genomes also start its first generation.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from cxr.evolution.genes import Genome
from cxr.pruning.encoding import Encoding


def uniform(encoding: Encoding, *, macs: int) -> Genome:
    """Return the largest same share of every group (to the nearest choice) within `macs`.

    Raises ValueError if even the smallest network has more MACs.
    """
    steps = {
        place / choice[-1] for choice in encoding.choices for place in _halfway(choice)
    }  # the shares at which some group takes its next choice

    def at(share: Fraction) -> Genome:
        return _nearest(encoding, [share * choice[-1] for choice in encoding.choices])

    return _largest(encoding, [Fraction(0), *sorted(steps)], at, macs=macs)


def global_threshold(encoding: Encoding, scores: Mapping[str, np.ndarray], *, macs: int) -> Genome:
    """Return what the lowest threshold within `macs` leaves, over the scores of all groups at once.

    Each group's `scores` (by name) are divided by their mean, else whole layers would go; a filter
    stays if its score reaches the threshold, and the count goes to the nearest choice. Raises
    ValueError if even the smallest network has more MACs.
    """
    relative = [_relative(scores[group.name]) for group in encoding.groups]
    thresholds = np.unique(np.concatenate(relative))[::-1].tolist()

    def at(threshold: float) -> Genome:
        return _nearest(encoding, [int((values >= threshold).sum()) for values in relative])

    return _largest(encoding, [np.inf, *thresholds], at, macs=macs)


def _relative(scores: np.ndarray) -> np.ndarray:
    mean = scores.mean()
    return scores / mean if mean > 0 else scores


def _halfway(choice: Sequence[int]) -> list[Fraction]:
    """Return the counts from which on each next choice is the nearer one, or as near."""
    return [Fraction(lower + upper, 2) for lower, upper in pairwise(choice)]


def _nearest(encoding: Encoding, wanted: Sequence[int | Fraction]) -> Genome:
    """Choose for each group the count nearest to the wanted one, the larger of two as near."""
    return tuple(
        bisect_right(_halfway(choice), Fraction(count))
        for choice, count in zip(encoding.choices, wanted, strict=True)
    )


def _largest(
    encoding: Encoding, steps: Sequence[Any], at: Callable[[Any], Genome], *, macs: int
) -> Genome:
    """Return the genome of the last step within `macs`; the steps' MACs never fall."""
    within = bisect_right(steps, macs, key=lambda step: encoding.macs(at(step)))
    if not within:
        raise ValueError(
            f"no network within {macs:,} MACs: the smallest has {encoding.macs(encoding.smallest):,}"
        )
    return at(steps[within - 1])
