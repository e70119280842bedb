"""Where a score comes from, laid over the picture in colour."""

from __future__ import annotations

import cv2
import numpy as np

_SHOWN_PX = 320
"""A smaller picture is shown larger, each pixel as a square."""
_COLOUR_BGR = np.array([0, 80, 255], np.float32)
_STRENGTH = 0.55


def overlay(image: np.ndarray, activation: np.ndarray) -> bytes:
    """Return a PNG of a prepared picture uint8 (S, S) with one label's map (h, w) over it.

    Coloured is what speaks for the label, the more the stronger, scaled to the strongest place; what
    speaks against it stays grey. The picture is never smaller than 320 px.
    """
    factor = max(1, -(-_SHOWN_PX // max(image.shape)))
    shown = np.repeat(np.repeat(image, factor, axis=0), factor, axis=1)
    for_it = np.maximum(np.nan_to_num(activation.astype(np.float32)), 0)
    strongest = float(for_it.max(initial=0.0))
    share = for_it / strongest if strongest > 0 else for_it
    share = cv2.resize(share, shown.shape[::-1], interpolation=cv2.INTER_LINEAR)[..., None]
    mixed = shown[..., None] + _STRENGTH * share * (_COLOUR_BGR - shown[..., None])
    done, png = cv2.imencode(".png", np.clip(mixed + 0.5, 0, 255).astype(np.uint8))
    assert done, "a PNG of any uint8 image can be made"
    return png.tobytes()
