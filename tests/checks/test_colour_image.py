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


def test_a_set_in_colour_is_one_finding():
    manifest = factories.manifest(160).assign(channels=3)
    found = colour_image.find(manifest)
    assert found.to_numpy().tolist() == [
        ["", "160 of 160 images of toy; the first is toy/images/000000.png: 3 channels"]
    ]
