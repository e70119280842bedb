"""What ingest measures on each stored image, made to be worked in a worker process."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np

from cxr import archives, images

WHOLE_NUMBERS = ("width_px", "height_px", "channels", "bit_depth", "grey_min", "grey_max")
"""Columns of the manifest that are whole numbers, or empty where the image can't be decoded."""


def examine(item: tuple[Path, str]) -> dict[str, Any]:
    """Return the manifest's measured columns for one (root, member); a fault is noted, not raised."""
    root, member = item
    row: dict[str, Any] = dict.fromkeys(WHOLE_NUMBERS)
    row |= {"sha256": "", "pixels_sha256": "", "phash": "", "fault": ""}
    row |= {"grey_mean": math.nan, "grey_std": math.nan}
    try:
        content = archives.read(root, member)
        row["sha256"] = hashlib.sha256(content).hexdigest()
        return row | measure(images.decode(content, name=member))
    except ValueError as error:
        # the root is the same for every image, and not the same on every machine
        return row | {"fault": str(error).replace(f"{root}/", "")}


def measure(image: images.Decoded) -> dict[str, Any]:
    """Return hashes, size and grey statistics of one decoded image."""
    height, width = image.grey.shape
    mean, deviation = _mean_and_deviation(image.grey)
    return {
        "pixels_sha256": images.pixels_sha256(image.grey),
        "phash": images.difference_hash(image.grey),
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
    counts = np.bincount(grey.reshape(-1), minlength=256)
    values, n = np.arange(256), grey.size
    total, squares = int(counts @ values), int(counts @ (values * values))
    return round(total / n, 4), round(math.sqrt(n * squares - total * total) / n, 4)
