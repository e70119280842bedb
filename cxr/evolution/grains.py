"""Objectives in grains: differences that are too small to matter don't decide who is better.

A network that costs a hundredth of what is allowed is never dominated, however bad it is, so that
plain NSGA-II breeds ever smaller ones; within a grain of cost only the better one counts.

Source: Laumanns, Thiele, Deb & Zitzler (2002), "Combining convergence and diversity in evolutionary
multiobjective optimization", Evolutionary Computation 10(3):263-282 (boxes of epsilon-dominance).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cxr.evolution import genes
from cxr.evolution.genes import Evaluated


def objectives_NM(members: Sequence[Evaluated], grain: Sequence[float] = ()) -> np.ndarray:
    """Return the members' objectives, one row each, in whole grains (rounded up) where one is given.

    `grain` has a number for each objective, in its unit; 0 compares exactly, as () does for all.
    """
    found_NM = genes.objectives_NM(members)
    for objective, size in enumerate(grain):
        if size > 0:
            found_NM[:, objective] = np.ceil(found_NM[:, objective] / size)
    return found_NM
