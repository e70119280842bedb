"""resize: bring an image to size_px x size_px, by stretching or by padding with black.

An axis that shrinks is averaged over areas (INTER_AREA), one that grows is interpolated in fixed
point (INTER_LINEAR_EXACT): both give the same bytes on every processor, cubic resizing does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np


@dataclass(frozen=True, kw_only=True)
class Params:
    """Knobs of resize."""

    size_px: int
    """Side of the result, 8 to 2048."""
    fit: Literal["stretch", "pad"]
    """stretch: width and height each to size_px; pad: keep the aspect, centre on black."""

    def __post_init__(self) -> None:
        """Check the range."""
        if not 8 <= self.size_px <= 2048:
            raise ValueError(f"size_px must lie in 8..2048, not {self.size_px}")


def apply(image: np.ndarray, params: Params) -> np.ndarray:
    """Return uint8 (size_px, size_px) from uint8 (H, W)."""
    size = params.size_px
    if params.fit == "stretch":
        return _scale(image, size, size)
    longest = max(image.shape)
    height, width = (max(1, (side * size + longest // 2) // longest) for side in image.shape)
    top, left = (size - height) // 2, (size - width) // 2
    canvas = np.zeros((size, size), np.uint8)
    canvas[top : top + height, left : left + width] = _scale(image, height, width)
    return canvas


def _scale(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Shrink the axes that shrink, then grow those that grow."""
    shrunk = min(height, image.shape[0]), min(width, image.shape[1])
    if shrunk != image.shape:
        image = cv2.resize(image, shrunk[::-1], interpolation=cv2.INTER_AREA)
    if (height, width) != image.shape:
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
    return image
