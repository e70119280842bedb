"""identical_pixels: surplus copies whose labels agree."""

import numpy as np
import pandas as pd

from cxr.checks import identical_pixels
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    """Images 4 and 5 are copies of 0; the factory gives patients 0 and 2 the same label."""
    manifest = factories.manifest(12)
    manifest.loc[[4, 5], "pixels_sha256"] = manifest["pixels_sha256"][0]
    return manifest, manifest["image"][[4, 5]].tolist()


def test_the_first_of_the_copies_is_named():
    manifest, _ = broken()
    details = set(identical_pixels.find(manifest)["detail"])
    assert details == {f"same pixels as {manifest['image'][0]}"}


def test_unknown_labels_contradict_nothing():
    manifest, images = broken()
    manifest.loc[4, ["label:normal", "label:pneumonia"]] = np.nan
    assert sorted(identical_pixels.find(manifest)["image"]) == images


def test_unreadable_images_are_no_copies_of_each_other():
    manifest = factories.manifest(12)
    manifest.loc[[1, 2], "pixels_sha256"] = ""
    assert identical_pixels.find(manifest).empty
