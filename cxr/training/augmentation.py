"""Random changes of grey images, keyed by (seed, epoch, image): no order and no worker can alter them.

Rotation, shift and zoom are one resampling with cv2.remap in fixed point (1/32 pixel), brightness
and contrast one look-up table: integer arithmetic, the same on every processor. Ranges usual for
chest X-rays (rotation ±10°, shift 8 %, zoom ±8 %); no vertical flip.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np

from cxr.training.recipe import Augmentation

_BORDERS = {"black": cv2.BORDER_CONSTANT, "edge": cv2.BORDER_REPLICATE}
_FRACTIONS = 32  # cv2's INTER_TAB_SIZE: remap knows 32 steps between two pixels


def augment(
    image_HW: np.ndarray, settings: Augmentation, *, rng: np.random.Generator
) -> np.ndarray:
    """Return a changed copy of a square uint8 image; outside of it stands what `border` says."""
    draws = rng.uniform(-1.0, 1.0, size=6)
    angle = np.deg2rad(settings.rotate_deg * draws[0])
    zoom = 1.0 + settings.scale * draws[1]
    side = image_HW.shape[0]
    shift_x, shift_y = settings.translate * side * draws[2:4]
    mirror = -1.0 if settings.flip and rng.random() < 0.5 else 1.0
    x, y = _grid(side)
    cosine, sine = np.cos(angle) / zoom, np.sin(angle) / zoom
    centre = (side - 1) / 2
    from_x = mirror * (cosine * x + sine * y) + centre + shift_x
    from_y = cosine * y - sine * x + centre + shift_y
    moved = cv2.remap(
        image_HW,
        *_fixed_point(from_x, from_y),
        cv2.INTER_LINEAR,
        borderMode=_BORDERS[settings.border],
    )
    return cv2.LUT(
        moved, _table(settings.brightness * draws[4], 1.0 + settings.contrast * draws[5])
    )


@functools.lru_cache(maxsize=4)
def _grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates from the centre, x (1, side) and y (side, 1)."""
    line = np.arange(side) - (side - 1) / 2
    return line[None, :], line[:, None]


def _fixed_point(from_x: np.ndarray, from_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return cv2's pair of maps: whole pixels int16 (H, W, 2) and index of the fraction uint16 (H, W)."""
    whole = np.rint(np.stack([from_x, from_y], axis=-1) * _FRACTIONS).astype(np.int32)
    fraction = whole & (_FRACTIONS - 1)
    index = fraction[..., 1] * _FRACTIONS + fraction[..., 0]
    return (whole >> 5).astype(np.int16), index.astype(np.uint16)


def _table(brightness: float, contrast: float) -> np.ndarray:
    grey = np.arange(256)
    return np.clip(np.rint((grey - 127.5) * contrast + 127.5 + brightness * 255), 0, 255).astype(
        np.uint8
    )
