"""clahe: contrast-limited adaptive histogram equalisation (Zuiderveld 1994, Graphics Gems IV)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True, kw_only=True)
class Params:
    """Knobs of clahe."""

    clip_limit: float
    """How far a tile's histogram may exceed its mean, above 0 to 40; 2 to 4 is usual."""
    tiles: int
    """Tiles along each side, 1 to 32; 8 is usual."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 < self.clip_limit <= 40:
            raise ValueError(f"clip_limit must be above 0 and at most 40, not {self.clip_limit}")
        if not 1 <= self.tiles <= 32:
            raise ValueError(f"tiles must lie in 1..32, not {self.tiles}")


def apply(image: np.ndarray, params: Params) -> np.ndarray:
    """Return the equalised image, uint8 (H, W)."""
    grid = (params.tiles, params.tiles)
    return cv2.createCLAHE(clipLimit=params.clip_limit, tileGridSize=grid).apply(image)
