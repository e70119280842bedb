"""New images that would carry a frozen part, such as test, into training; or an arrival made of its copies.

A division by image takes in whatever comes, and one that lets near-duplicates go anywhere
(`split.near_duplicates: false`) takes in what is almost a test image. Where split leaves all of it
out nothing leaks; but an arrival of which more than half are copies of frozen X-rays was put
together from them, and its other images deserve no trust.
"""

from __future__ import annotations

import pandas as pd

from cxr.checks import _arrival

SEVERITY = "critical"
NEEDS = ("arrival", "pairs")
MEANING = "The newest arrival would leak a frozen part into training, or is made of its copies."
CURE = (
    "Take these images out of the arrival; divide by patient, with near-duplicates kept together."
)

_MOST_COPIES = 0.5  # of the arrival's images


def find(
    manifest: pd.DataFrame, *, arrival: _arrival.Arrival | None, pairs: pd.DataFrame
) -> pd.DataFrame:
    """Return the new images that split would take in, and one finding for an arrival of copies."""
    known = _arrival.known(manifest, pairs, arrival)
    rows = [(new.image, new.why) for new in known if not new.is_left_out]
    copies = sum(new.is_copy for new in known)
    if arrival is not None and copies:
        images = int(arrival.holds(manifest["image"]).sum())
        if copies > _MOST_COPIES * images:
            words = f"{copies} of {images} images of {arrival.folder} are copies of frozen ones"
            rows.append(("", words))
    return pd.DataFrame(rows, columns=["image", "detail"], dtype=object)
