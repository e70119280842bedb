"""Who of parents and children lives on: whole fronts first, then the least crowded of the next.

Source: Deb et al. (2002), section III-C (see `sorting`).
"""

from __future__ import annotations

import numpy as np

from cxr.evolution import sorting


def survivors(objectives_NM: np.ndarray, size: int) -> np.ndarray:
    """Return the ascending indices of at most `size` points that live on.

    Among equally crowded points of the front that does not fit, the earlier ones: no chance enters.
    """
    ranks_N, crowding_N = sorting.standing(objectives_NM)
    order = np.lexsort(
        (-crowding_N, ranks_N)
    )  # stable: by rank, then the least crowded, then index
    return np.sort(order[:size], kind="stable")
