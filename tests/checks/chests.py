"""Thumbnails that look like chests from afar: bright body, two dark lungs, a bright heart and belly."""

import numpy as np
import pandas as pd

from cxr import seeding


def thumbnails(manifest: pd.DataFrame) -> np.ndarray:
    """Return uint8 (rows, 32, 32): each image by its own name a little larger, shifted and noisy."""
    drawn = np.zeros((len(manifest), 32, 32), dtype=np.uint8)
    y, x = np.mgrid[:32, :32].astype(float)
    for row, image in enumerate(manifest["image"]):
        rng = seeding.stream(0, "chest", image)
        top, left, size = rng.normal(0, 1, 3) * (1.0, 1.0, 0.06) + (0.0, 0.0, 1.0)
        grey = np.full((32, 32), 150.0)
        grey[np.abs(x - 15.5 - left) > 14.0 * size] = 20.0
        for side in (-1, 1):
            lung = ((x - 15.5 - left - 6.5 * side * size) / 4.2) ** 2 + ((y - 14 - top) / 9.5) ** 2
            grey[lung < size] = 60.0
        grey[y > 25 + top] += 50.0
        grey[((x - 18 - left) ** 2 + (y - 19 - top) ** 2) < 16] = 190.0
        drawn[row] = np.clip(grey + rng.normal(0, 12, (32, 32)), 0, 255)
    return drawn
