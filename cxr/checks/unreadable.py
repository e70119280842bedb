"""Images that can't be decoded: truncated, empty or of an unknown format."""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings

SEVERITY = "critical"
MEANING = "The file can't be decoded, so the image is missing from the study."
CURE = "Fetch the file again, or accept the finding: split then leaves the image out."


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the images with a fault, and the decoder's words."""
    broken = manifest[manifest["fault"] != ""]
    return _findings.table(broken, broken["fault"])
