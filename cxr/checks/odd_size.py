"""Images too small to show a finding, or of a shape no chest X-ray has."""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings, _many

SEVERITY = "warning"
MEANING = "The image is very small or very long: a thumbnail, a crop or not a chest X-ray."
CURE = "Look at it; fetch the original or remove it."

_LEAST_PX = 64  # of the shorter side
_LONGEST = 2.5  # times the shorter side; children's X-ray films reach 2


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the readable images with such a size, and the size; a set that is mostly so, once."""
    sides = manifest[["width_px", "height_px"]]
    short, long = sides.min(axis=1), sides.max(axis=1)
    odd = manifest[(manifest["fault"] == "") & ((short < _LEAST_PX) | (long > _LONGEST * short))]
    width = _findings.worded(odd["width_px"], "{:.0f} x ")
    return _many.gathered(manifest, odd, width + _findings.worded(odd["height_px"], "{:.0f} px"))
