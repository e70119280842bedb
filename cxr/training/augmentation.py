"""Random changes of grey images, keyed by (seed, epoch, image): no order and no worker can alter them.

Rotation, shift and zoom are one resampling with cv2.remap in fixed point (1/32 pixel), brightness
and contrast one look-up table: integer arithmetic, the same on every processor. Ranges usual for
chest X-rays (rotation ±10°, shift 8 %, zoom ±8 %); no vertical flip.
"""

from __future__ import annotations

import dataclasses
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
    # in steps of 1/32 pixel from here on: 32 is a power of two, so no bit of the sums changes by it
    cosine, sine = (_FRACTIONS * f(angle) / zoom for f in (np.cos, np.sin))
    centre = _FRACTIONS * ((side - 1) / 2)
    from_x, from_y = cosine * x + sine * y, cosine * y - sine * x
    from_x *= mirror
    from_x += centre
    from_x += _FRACTIONS * shift_x
    from_y += centre
    from_y += _FRACTIONS * shift_y
    moved = cv2.remap(
        image_HW,
        *_fixed_point(from_x, from_y),
        cv2.INTER_LINEAR,
        borderMode=_BORDERS[settings.border],
    )
    return cv2.LUT(
        moved, _table(settings.brightness * draws[4], 1.0 + settings.contrast * draws[5])
    )


def is_still(settings: Augmentation) -> bool:
    """Tell whether `augment` returns every image as it is."""
    values = dataclasses.asdict(settings)
    return not any(value for name, value in values.items() if name != "border")


@functools.lru_cache(maxsize=4)
def _grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates from the centre, x (1, side) and y (side, 1)."""
    line = np.arange(side) - (side - 1) / 2
    return line[None, :], line[:, None]


def _fixed_point(from_x: np.ndarray, from_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return cv2's pair of maps: whole pixels int16 (H, W, 2) and index of the fraction uint16 (H, W).

    The places (H, W) come in steps of 1/32 pixel and are rounded where they stand.
    """
    whole = np.empty((*from_x.shape, 2), np.int16)
    x, y = (np.rint(along, out=along).astype(np.int32) for along in (from_x, from_y))
    whole[..., 0], whole[..., 1] = x >> 5, y >> 5
    index = ((y & (_FRACTIONS - 1)) << 5) | (x & (_FRACTIONS - 1))
    return whole, index.astype(np.uint16)


def _table(brightness: float, contrast: float) -> np.ndarray:
    grey = np.arange(256)
    return np.clip(np.rint((grey - 127.5) * contrast + 127.5 + brightness * 255), 0, 255).astype(
        np.uint8
    )
