"""Images almost the same in several data sets of one study: public sets copy from one another.

Of Ozturk's 1,124 images (DarkCovidNet) 135 stand in the COVID-19 Radiography Database, none of
them with the same pixels, as both sets scaled and saved them anew.
"""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings

SEVERITY = "warning"
MEANING = "Data sets share X-rays, scaled or saved anew, so they are no independent sources."
CURE = (
    "Set split.near_duplicates: true, which keeps them in one part; "
    "never test on one set what learnt from the other."
)
NEEDS = ("pairs",)


def find(manifest: pd.DataFrame, *, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the images that stand in another data set almost the same, and where."""
    alike = _findings.near(manifest, pairs)
    across = alike[_findings.several(alike, "first", "dataset")]
    new = across[~_findings.several(across, "pixels_sha256", "dataset")]
    places = _findings.elsewhere(across, "first").loc[new.index]
    return _findings.table(new, "almost the same: " + places)
