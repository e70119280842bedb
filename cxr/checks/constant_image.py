"""Images of one grey value, or nearly so: nothing was exposed, or a conversion went wrong."""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings

SEVERITY = "critical"
MEANING = "The image is one even grey, so it shows nothing."
CURE = "Fetch the file again or remove it; accept it if such images must stay in the study."

_LEAST_STD = 1.0  # grey levels of 255; a real X-ray has tens


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the readable images whose grey values hardly vary, and by how much they do."""
    even = manifest[(manifest["fault"] == "") & (manifest["grey_std"] < _LEAST_STD)]
    words = "standard deviation {:.3g} of 255 grey levels"
    return _findings.table(even, _findings.worded(even["grey_std"], words))
