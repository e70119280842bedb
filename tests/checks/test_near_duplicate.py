"""near_duplicate: groups that pairs link, each X-ray once, contradictions left to their own check."""

import numpy as np
import pandas as pd

from cxr.checks import near_duplicate
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str], dict[str, object]]:
    """0, 4 and 5 are linked; the factory gives patients 0 and 2 the same label."""
    manifest = factories.manifest(12)
    name = manifest["image"]
    pairs = factories.pairs((name[0], name[4], 0.9951), (name[4], name[5], 0.9912))
    return manifest, name[[4, 5]].tolist(), {"pairs": pairs}


def test_the_first_of_the_group_and_the_nearest_are_named():
    manifest, _, evidence = broken()
    found = near_duplicate.find(manifest, **evidence)
    assert found["detail"].tolist() == [
        f"almost the pixels of {manifest['image'][0]} (correlation with its nearest 0.9951)",
        f"almost the pixels of {manifest['image'][0]} (correlation with its nearest 0.9912)",
    ]


def test_pixel_identical_images_are_left_to_their_own_check():
    manifest, _, evidence = broken()
    manifest.loc[[0, 4, 5], "pixels_sha256"] = manifest["pixels_sha256"][0]
    assert near_duplicate.find(manifest, **evidence).empty


def test_copies_within_a_group_count_once_and_carry_its_links():
    """1 is a copy of 0, and 8 of 5: 4 and 5 are surplus beside 0, as near-duplicates."""
    manifest, images, evidence = broken()
    manifest.loc[1, "pixels_sha256"] = manifest["pixels_sha256"][0]
    manifest.loc[8, "pixels_sha256"] = manifest["pixels_sha256"][5]
    assert sorted(near_duplicate.find(manifest, **evidence)["image"]) == images


def test_a_group_that_contradicts_itself_is_left_to_its_own_check():
    manifest, images, evidence = broken()
    manifest.loc[5, ["label:normal", "label:pneumonia"]] = [0.0, 1.0]
    assert near_duplicate.find(manifest, **evidence).empty
    manifest.loc[5, ["label:normal", "label:pneumonia"]] = np.nan  # unknown contradicts nothing
    assert near_duplicate.find(manifest, **evidence)["image"].tolist() == images
