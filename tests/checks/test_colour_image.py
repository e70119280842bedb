"""colour_image: more than one channel."""

import pandas as pd

from cxr.checks import colour_image
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    manifest = factories.manifest(12)
    manifest.loc[[0, 1], "channels"] = [3, 4]
    return manifest, manifest["image"][[0, 1]].tolist()


def test_the_channels_are_counted():
    assert colour_image.find(broken()[0])["detail"].tolist() == ["3 channels", "4 channels"]
