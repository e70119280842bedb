"""Labels that no image has, or every image: there is nothing to tell apart."""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings

SEVERITY = "critical"
MEANING = "A label is present in no image, or in every one, so it can be neither learnt nor tested."
CURE = "Add images, or name in merge.labels only the labels that the data have."


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return such labels."""
    readable = manifest[manifest["fault"] == ""]
    details = []
    for name, label in _findings.by_name(readable).items():
        for value, words in ((1, "present"), (0, "absent")):
            if not (label == value).any():
                details.append(f"{name} is {words} in none of {len(readable)} readable images")
    return _findings.overall(details)
