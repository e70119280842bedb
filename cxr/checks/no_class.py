"""Images in none of the classes where every other image is in one."""

from __future__ import annotations

import pandas as pd

from cxr import manifest as manifests
from cxr.checks import _classes, _findings

SEVERITY = "critical"
MEANING = "The image is in none of the classes, though every image should be in one."
CURE = "Complete its label, or take the image out; accept it if such images are too few to matter."


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the images of which all labels are known to be absent; none if labels may combine."""
    if not _classes.are_classes(manifest):
        return _findings.overall([])
    known = manifest[manifests.label_columns(manifest)].notna().all(axis=1)
    empty = manifest[known & (_classes.present(manifest) == 0)]
    return _findings.table(empty, "no label is present")
