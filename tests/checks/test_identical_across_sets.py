"""identical_across_sets: the same pixels under two data sets."""

import pandas as pd

from cxr.checks import identical_across_sets
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    """0 and 1 of toy have the pixels of 6 in b; 2 and 3 are copies within toy."""
    manifest = factories.manifest(12)
    manifest.loc[6:, "dataset"] = "b"
    manifest.loc[[1, 6], "pixels_sha256"] = manifest["pixels_sha256"][0]
    manifest.loc[3, "pixels_sha256"] = manifest["pixels_sha256"][2]
    return manifest, manifest["image"][[0, 1, 6]].tolist()


def test_the_image_of_the_other_set_is_named():
    manifest, _ = broken()
    found = identical_across_sets.find(manifest).set_index("image")["detail"]
    assert found[manifest["image"][6]] == f"the same pixels: {manifest['image'][0]}"
    assert found[manifest["image"][1]] == f"the same pixels: {manifest['image'][6]}"
