"""Who becomes a parent: the better of two drawn at random.

Source: Deb et al. (2002), section III-B, the crowded-comparison operator (see `sorting`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Orders = Sequence[Sequence[tuple[float, float]]]
"""Ways of telling who is better: of each, a key for every member, the lower the better."""


def tournament(orders: Orders, *, rng: np.random.Generator) -> int:
    """Draw two members (maybe the same) and return the index of the better; of two equals the first.

    Where there are several orders, which of them decides is drawn first.
    """
    order = orders[int(rng.integers(len(orders)))] if len(orders) > 1 else orders[0]
    one, other = (int(index) for index in rng.integers(len(order), size=2))
    return other if order[other] < order[one] else one
