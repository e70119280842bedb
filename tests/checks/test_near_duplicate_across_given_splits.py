"""near_duplicate_across_given_splits: alike, on both sides of the data set's own split."""

import pandas as pd

from cxr.checks import near_duplicate_across_given_splits
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str], dict[str, object]]:
    """0 (train), 4 (test) and 7 (no split) are linked, as are 1 and 2 (both train)."""
    manifest = factories.manifest(12)
    manifest["given_split"] = "train"
    manifest.loc[4, "given_split"], manifest.loc[7, "given_split"] = "test", ""
    name = manifest["image"]
    pairs = factories.pairs(
        (name[0], name[4], 0.995), (name[1], name[2], 0.995), (name[4], name[7], 0.995)
    )
    return manifest, name[[0, 4]].tolist(), {"pairs": pairs}


def test_the_splits_are_named():
    manifest, _, evidence = broken()
    details = near_duplicate_across_given_splits.find(manifest, **evidence)["detail"]
    assert set(details) == {
        f"images almost the same as {manifest['image'][0]} in given splits: test, train"
    }


def test_identical_images_are_left_to_their_own_check():
    manifest, _, evidence = broken()
    manifest.loc[4, "pixels_sha256"] = manifest["pixels_sha256"][0]
    assert near_duplicate_across_given_splits.find(manifest, **evidence).empty
