"""impossible_age: below 0 or above 120 years."""

import numpy as np
import pandas as pd

from cxr.checks import impossible_age
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    manifest = factories.manifest(12)
    manifest.loc[[0, 1, 2, 3, 4], "age_years"] = [412.0, -1.0, 0.0, 120.0, np.nan]
    return manifest, manifest["image"][[0, 1]].tolist()


def test_the_age_is_named():
    assert impossible_age.find(broken()[0])["detail"].tolist() == ["412 years", "-1 years"]
