"""Who becomes a parent: the better of two drawn at random.

Source: Deb et al. (2002), section III-B, the crowded-comparison operator (see `sorting`).
"""

from __future__ import annotations

import numpy as np


def tournament(ranks_N: np.ndarray, crowding_N: np.ndarray, *, rng: np.random.Generator) -> int:
    """Draw two members (maybe the same) and return the index of the better.

    Better is the lower rank, then the greater crowding distance; of two equals the first drawn.
    """
    one, other = (int(index) for index in rng.integers(len(ranks_N), size=2))
    if (ranks_N[other], -crowding_N[other]) < (ranks_N[one], -crowding_N[one]):
        return other
    return one
