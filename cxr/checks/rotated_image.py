"""Images that lie on their side or upside down."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cxr.checks import _findings, _orientation

SEVERITY = "warning"
NEEDS = ("thumbnails",)
MEANING = "The image looks turned against the data set's others, or lies small in a wide frame."
CURE = "Look at it; turn or crop the file, or remove it."


def find(manifest: pd.DataFrame, *, thumbnails: np.ndarray) -> pd.DataFrame:
    """Return the images that fit their data set far better if turned, and how they lie."""
    poses = _orientation.poses(manifest, thumbnails)
    turned = (poses > 0) & (poses != _orientation.POSES.index("inverted"))
    words = pd.Series([_orientation.POSES[pose] for pose in poses[turned]], dtype=object)
    return _findings.table(manifest[turned], words.set_axis(manifest.index[turned]))
