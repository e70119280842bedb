"""How much of the objective space a set of points dominates: one number for a whole front.

Source: Zitzler & Thiele (1998), "Multiobjective optimization using evolutionary algorithms - a
comparative case study", PPSN V:292-301 ("size of the space covered").
"""

from __future__ import annotations

import numpy as np

from cxr.evolution import sorting


def hypervolume(objectives_N2: np.ndarray, reference: tuple[float, float]) -> float:
    """Return the area between the first front of two objectives and `reference`.

    Points that are not better than the reference in both objectives add nothing.
    """
    inside = objectives_N2[(objectives_N2 < np.asarray(reference)).all(axis=1)]
    area, ceiling = 0.0, reference[1]
    best = inside[sorting.front(inside)]
    for x, y in best[np.argsort(best[:, 0], kind="stable")]:  # y falls from one to the next
        area += (reference[0] - float(x)) * (ceiling - float(y))
        ceiling = float(y)
    return area
