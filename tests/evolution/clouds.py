"""Sets of objectives to sort: random ones, on coarse grids with many ties, and degenerate ones."""

from __future__ import annotations

import numpy as np

from cxr import seeding


def _clouds() -> dict[str, np.ndarray]:
    found = {}
    for case in range(12):
        rng = seeding.stream(1, "clouds", case)
        points, objectives = int(rng.integers(3, 60)), 2 + case % 2
        found[f"random {case}"] = rng.random((points, objectives))
        found[f"grid {case}"] = rng.integers(4, size=(points, objectives)) / 4
    line = np.arange(9.0)
    return {
        **found,
        "one point": np.array([[1.0, 2.0]]),
        "two points": np.array([[1.0, 2.0], [2.0, 1.0]]),
        "all equal": np.ones((7, 2)),
        "one front": np.stack([line, -line], axis=1),
        "a chain": np.stack([line, line], axis=1)[::-1],
        "one objective constant": np.stack([line, np.ones(9)], axis=1),
        "twins": np.repeat(np.stack([line, -line], axis=1), 2, axis=0),
        "equal ends": np.array([[0.0, 4], [0, 4], [1, 2], [2, 1], [4, 0], [4, 0]]),
        "large and small": np.stack([line * 1e9, -line * 1e-9], axis=1),
        "one objective": seeding.stream(1, "clouds").integers(5, size=(11, 1)).astype(float),
    }


CLOUDS = _clouds()
