"""Masks filed as X-rays: drawings of the lungs in two greys.

COVID-19 Radiography keeps `images/` and `masks/` under each class, and a loader that walks the
folder trains on both: every case counts twice, once as a drawing. A spread as large as two values
can have, (mean - min)(max - mean), gives them away (Bhatia & Davis 2000,
doi:10.2307/2589180). Masks stored as JPEG at 64 to 299 px reach .91 to 1 of it, X-rays
.29 at most of half of them and .72 of all, lungs cut out on black .86 (measured on 32,000 images).
"""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings

SEVERITY = "warning"
MEANING = "A mask of the lungs stands among the X-rays, so models learn from drawings too."
CURE = (
    "Leave merge.masks false, or take the masks out; keep them only to repeat a work that had them."
)

_LEAST_SHARE = 0.9  # of the largest spread possible
_LEAST_STD = 1.0  # an image of one grey is another finding's


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that say so themselves, and the readable images of two greys."""
    named = manifest["kind"] == "mask"
    variance, mean = manifest["grey_std"] ** 2, manifest["grey_mean"]
    largest = (mean - manifest["grey_min"]) * (manifest["grey_max"] - mean)
    two_valued = (variance >= _LEAST_SHARE * largest) & (manifest["grey_std"] >= _LEAST_STD)
    found = manifest[named | (two_valued & (manifest["fault"] == ""))]
    words = found["kind"].map({"mask": "filed as a mask"}).fillna("two greys, as in a mask")
    return _findings.table(found, words)
