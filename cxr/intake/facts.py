"""What is measured on each stored image when it is taken in: the manifest's measured columns and a thumbnail."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import cv2
import numpy as np

from cxr import images

UNKNOWN: dict[str, Any] = {
    "sha256": "", "file_bytes": None, "file_format": "", "pixels_sha256": "", "phash": "",
    "width_px": None, "height_px": None, "channels": None, "bit_depth": None,
    "grey_min": None, "grey_max": None, "grey_mean": None, "grey_std": None, "fault": "",
}  # fmt: skip
"""The measured columns of the manifest, as they are where nothing could be measured."""
BLANK = np.zeros((images.THUMBNAIL_PX, images.THUMBNAIL_PX), np.uint8)


def examine(content: bytes, *, name: str) -> tuple[dict[str, Any], np.ndarray, np.ndarray | None]:
    """Return the facts, the thumbnail and the decoded grey image; a fault is noted, not raised.

    The thumbnail is uint8 (32, 32), black where the image can't be decoded and there is None.
    """
    row = UNKNOWN | {"sha256": hashlib.sha256(content).hexdigest(), "file_bytes": len(content)}
    try:
        image = images.decode(content, name=name)
    except ValueError as error:
        return row | {"fault": str(error)}, BLANK, None
    small = images.thumbnail(image.grey)
    return row | _measure(image, small), small, image.grey


def _measure(image: images.Decoded, small: np.ndarray) -> dict[str, Any]:
    """Return format, hashes, size and grey statistics of one decoded image."""
    height, width = image.grey.shape
    mean, deviation = _mean_and_deviation(image.grey)
    return {
        "file_format": image.file_format,
        "pixels_sha256": images.pixels_sha256(image.grey),
        "phash": images.difference_hash(small),
        "width_px": width,
        "height_px": height,
        "channels": image.channels,
        "bit_depth": image.bit_depth,
        "grey_min": int(image.grey.min()),
        "grey_max": int(image.grey.max()),
        "grey_mean": mean,
        "grey_std": deviation,
    }


def _mean_and_deviation(grey: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation to four decimals, from exact sums of whole numbers."""
    # OpenCV sums bytes in integers; as float64 both sums are exact for every image within the limit
    n, total = grey.size, int(cv2.sumElems(grey)[0])
    squares = int(cv2.norm(grey, cv2.NORM_L2SQR))
    return round(total / n, 4), round(math.sqrt(n * squares - total * total) / n, 4)
