"""Images in negative: air is white and bone is black (MONOCHROME1 read as MONOCHROME2)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cxr.checks import _findings, _orientation

SEVERITY = "warning"
NEEDS = ("thumbnails",)
MEANING = "The image looks like a negative of the data set's others."
CURE = "Look at it; invert the file or remove it."


def find(manifest: pd.DataFrame, *, thumbnails: np.ndarray) -> pd.DataFrame:
    """Return the images whose negative fits their data set far better than they do."""
    inverted = _orientation.POSES.index("inverted")
    found = manifest[_orientation.poses(manifest, thumbnails) == inverted]
    return _findings.table(found, "fits the data set's mean image as a negative")
