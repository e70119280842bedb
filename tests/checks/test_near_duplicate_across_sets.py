"""near_duplicate_across_sets: which images of one data set stand, saved anew, in another."""

import pandas as pd

from cxr.checks import near_duplicate_across_sets
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str], dict[str, object]]:
    """0 and 1 of toy stand in b as 6; 2 and 3 are alike within toy."""
    manifest = factories.manifest(12)
    manifest.loc[6:, "dataset"] = "b"
    name = manifest["image"]
    pairs = factories.pairs(
        (name[0], name[6], 0.995), (name[1], name[6], 0.995), (name[2], name[3], 0.995)
    )
    return manifest, name[[0, 1, 6]].tolist(), {"pairs": pairs}


def test_the_images_of_the_other_sets_are_named():
    manifest, _, evidence = broken()
    manifest.loc[6, "dataset"] = "c"
    evidence["pairs"] = pd.concat(
        [evidence["pairs"], factories.pairs((manifest["image"][6], manifest["image"][7], 0.992))]
    )
    found = near_duplicate_across_sets.find(manifest, **evidence).set_index("image")["detail"]
    name = manifest["image"]
    assert found[name[0]] == found[name[1]] == f"almost the same: {name[6]}, {name[7]}"
    assert found[name[6]] == f"almost the same: {name[0]}, {name[7]}"


def test_images_identical_across_sets_are_left_to_their_own_check():
    manifest, _, evidence = broken()
    manifest.loc[6, "pixels_sha256"] = manifest["pixels_sha256"][0]
    found = near_duplicate_across_sets.find(manifest, **evidence)
    assert found["image"].tolist() == [manifest["image"][1]]
