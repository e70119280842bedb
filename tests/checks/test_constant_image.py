"""constant_image: one even grey."""

import numpy as np
import pandas as pd

from cxr.checks import constant_image
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    manifest = factories.manifest(12)
    manifest.loc[[2, 3], "grey_std"] = [0.0, 0.4]
    return manifest, manifest["image"][[2, 3]].tolist()


def test_the_spread_is_named():
    assert "deviation 0.4 of 255" in constant_image.find(broken()[0])["detail"].iloc[1]


def test_an_unreadable_image_is_not_called_constant():
    manifest = factories.manifest(12)
    manifest.loc[2, "grey_std"], manifest.loc[2, "fault"] = np.nan, "is damaged"
    assert constant_image.find(manifest).empty
