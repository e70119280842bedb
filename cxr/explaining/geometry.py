"""Where a box of the stored image lies after the steps of preprocessing, and which pixels it covers.

A box is left, top, right, bottom: distances of its edges from the image's upper left corner, in shares
of the image's width and height (0 to 1) or in pixels; pixel i reaches from i to i + 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

STILL = ("clahe", "gaussian_blur")
"""Steps that change grey values alone; resize is followed, any other is refused."""


def through(
    boxes_K4: np.ndarray, steps: Sequence[Mapping[str, Any]], *, width_px: int, height_px: int
) -> np.ndarray:
    """Return boxes given in shares of a stored image in pixels of the prepared one, float64 (K, 4).

    `steps` are those of params.yaml (preprocess.steps); width and height are the stored image's.
    Raises ValueError for a step of which it is not known where it moves a pixel.
    """
    boxes_K4 = boxes_K4 * np.array([width_px, height_px, width_px, height_px], dtype=np.float64)
    for step in steps:
        if step["name"] == "resize":
            left, top, across, down = _resized(width_px, height_px, step["size_px"], step["fit"])
            factors = np.array([across / width_px, down / height_px] * 2)
            boxes_K4 = boxes_K4 * factors + np.array([left, top] * 2)
            width_px = height_px = step["size_px"]
        elif step["name"] not in STILL:
            raise ValueError(
                f"preprocess.steps: where {step['name']} moves a box is unknown: write it in "
                "cxr/explaining/geometry.py"
            )
    return boxes_K4


def _resized(width: int, height: int, size_px: int, fit: str) -> tuple[int, int, int, int]:
    """Return where cxr/preprocessing/resize.py puts the image: left, top, width and height in pixels."""
    if fit == "stretch":
        return 0, 0, size_px, size_px
    longest = max(width, height)
    across, down = (max(1, (x * size_px + longest // 2) // longest) for x in (width, height))
    return (size_px - across) // 2, (size_px - down) // 2, across, down


def mask(boxes_K4: np.ndarray, size_px: int) -> np.ndarray:
    """Return bool (S, S): pixels whose middle lies in a box of pixels, and the one in a box's middle."""
    covered = np.zeros((size_px, size_px), dtype=bool)
    for left, top, right, bottom in boxes_K4.tolist():
        rows, columns = _span(top, bottom, size_px), _span(left, right, size_px)
        covered[rows, columns] = True
    return covered


def _span(low: float, high: float, size_px: int) -> slice:
    first, last = (int(np.ceil(edge - 0.5)) for edge in (low, high))
    if first >= last:  # thinner than a pixel
        first = min(int((low + high) / 2), size_px - 1)
        last = first + 1
    return slice(max(first, 0), last)
