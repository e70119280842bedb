"""Vessels: the hila and the trees of arteries and veins that grow out of them."""

from __future__ import annotations

import math

import numpy as np

from cxr.phantom.shapes import Field
from cxr.phantom.space import Space

_TRUNKS = (-1.2, -0.7, -0.1, 0.45, 0.85, 1.25)  # directions, in radians below the level
_GENERATIONS = 6
_WIDTH = 0.021  # half width of a trunk

Line = tuple[float, float, float, float]


def vessels(space: Space) -> Field:
    """Return hila and vessels, thinning out toward the chest wall; 1 is about a trunk's depth."""
    total = np.zeros_like(space.x)
    for side in (-1, 1):
        x, y = (
            side * 0.17 + 0.6 * space.pose["turn"],
            -0.06 - 0.03 * side,
        )  # the left hilum is higher
        dx, dy = (space.x - x) / 0.065, (space.y - y) / 0.12
        total += 0.40 * np.exp(-dx * dx - dy * dy)
        for line, width in _tree(x, y, side, space.stream("vessels", str(side))):
            space.add_line(total, line, width=width, peak=30 * width)
    out = np.clip(space.x / space.cage, -1, 1)
    return total * space.anatomy["vessels"] * (1 - 0.75 * out * out)


def _tree(x: float, y: float, side: int, rng: np.random.Generator) -> list[tuple[Line, float]]:
    """Grow vessels outward from a hilum at (x, y): straight pieces and their half widths."""
    pieces = []
    tips = [(x, y, angle + rng.normal(0, 0.12), _WIDTH) for angle in _TRUNKS]
    for generation in range(_GENERATIONS):
        grown = []
        for x0, y0, angle, width in tips:
            length = rng.uniform(0.07, 0.14) * 0.95**generation
            x1, y1 = x0 + side * length * math.cos(angle), y0 + length * math.sin(angle)
            pieces.append(((x0, y0, x1, y1), width))
            forks = (-0.3, 0.3) if rng.random() < 0.45 else (0.0,)
            width *= 0.74 if len(forks) == 2 else 0.84
            grown += [(x1, y1, angle + turn + rng.normal(0, 0.14), width) for turn in forks]
        tips = grown
    return pieces
