"""odd_size: thumbnails and strips."""

import pandas as pd

from cxr.checks import odd_size
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    manifest = factories.manifest(12)
    manifest.loc[[3, 4, 5], "width_px"] = [28, 600, 500]
    return manifest, manifest["image"][[3, 4]].tolist()


def test_the_size_is_named():
    assert odd_size.find(broken()[0])["detail"].tolist() == ["28 x 224 px", "600 x 224 px"]


def test_a_set_of_small_images_is_one_finding():
    manifest = factories.manifest(240)
    manifest.loc[:149, ["width_px", "height_px"]] = 28
    manifest.loc[239, "dataset"], manifest.loc[239, "width_px"] = "other", 28
    found = odd_size.find(manifest)
    assert found["image"].tolist() == [manifest["image"][239], ""]
    assert found["detail"].iloc[1] == (
        "150 of 239 images of toy; the first is toy/images/000000.png: 28 x 28 px"
    )


def test_less_than_half_of_a_set_are_named():
    manifest = factories.manifest(240)
    manifest.loc[:109, ["width_px", "height_px"]] = 28
    assert odd_size.find(manifest)["image"].tolist() == manifest["image"][:110].tolist()
