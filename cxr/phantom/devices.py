"""Devices: electrodes and their leads, which lie on some patients whatever they have."""

from __future__ import annotations

import numpy as np

from cxr.phantom.shapes import Field, smooth
from cxr.phantom.space import Space


def electrodes(space: Space, *, rng: np.random.Generator) -> Field:
    """Return two or three electrodes on the skin, each with a lead that leaves the image."""
    total = np.zeros_like(space.x)
    for side, low in ((-1, -0.45), (1, -0.45), (1, 0.35))[: 2 + int(rng.random() < 0.6)]:
        x, y = side * rng.uniform(0.42, 0.62), low + rng.uniform(-0.12, 0.12)
        disc = np.sqrt((space.x - x) ** 2 + (space.y - y) ** 2)
        total += 0.6 * smooth(0.022 - disc, 0.015) + 0.25 * smooth(0.040 - disc, 0.012)
        bend, end = rng.uniform(-0.15, 0.15), rng.uniform(0.1, 0.5)
        t = np.linspace(0, 1, 9)
        xs = x + side * end * t * t + bend * np.sin(np.pi * t)
        ys = y + (1.3 - y) * t
        for i in range(len(t) - 1):
            line = (float(xs[i]), float(ys[i]), float(xs[i + 1]), float(ys[i + 1]))
            space.add_line(total, line, width=0.006, peak=0.28)
    return total
