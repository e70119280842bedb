"""Images so alike that they are the same X-ray, scaled, cropped or saved anew; labels don't contradict.

Alike are images whose 32 px thumbnails correlate above validate.near_duplicates.correlation, and
images linked by others alike. Pixel-identical files are the concern of identical_pixels.
"""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings

SEVERITY = "warning"
MEANING = "Images are alike almost pixel by pixel, so one X-ray probably counts more than once."
CURE = "Set split.near_duplicates: true, which keeps them in one part, or remove all but one."
NEEDS = ("pairs",)


def find(manifest: pd.DataFrame, *, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return all images of such a group but its first, pixel-identical ones once."""
    alike = _findings.near(manifest, pairs)
    agree = alike[~_findings.contradicting(alike, "first")]
    once = agree[~agree["pixels_sha256"].duplicated() & (agree["image"] != agree["first"])]
    nearest = _findings.worded(once["nearest"], " (correlation with its nearest {:.4f})")
    return _findings.table(once, "almost the pixels of " + once["first"] + nearest)
