"""Images of which no label is known."""

from __future__ import annotations

import pandas as pd

from cxr import manifest as manifests
from cxr.checks import _findings

SEVERITY = "critical"
MEANING = "No label of the image is known, so it can neither train nor test."
CURE = "Complete the labels or merge.labels, or accept it: split then leaves the image out."


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the images whose labels are all NaN."""
    unknown = manifest[manifest[manifests.label_columns(manifest)].isna().all(axis=1)]
    return _findings.table(unknown, "no known label")
