"""near_duplicate_contradicting: alike, with labels that can't both be true."""

import numpy as np
import pandas as pd

from cxr.checks import near_duplicate_contradicting
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str], dict[str, object]]:
    """0 and 2 are linked; the factory gives patients 0 and 1 different labels."""
    manifest = factories.manifest(12)
    name = manifest["image"]
    return manifest, name[[0, 2]].tolist(), {"pairs": factories.pairs((name[0], name[2], 0.9951))}


def test_the_labels_are_named():
    manifest, _, evidence = broken()
    details = near_duplicate_contradicting.find(manifest, **evidence)["detail"]
    assert set(details) == {
        f"images almost the same as {manifest['image'][0]} have the labels: normal, pneumonia"
    }


def test_images_that_agree_or_of_unknown_label_contradict_nothing():
    manifest, _, evidence = broken()
    for labels in (manifest.loc[0, ["label:normal", "label:pneumonia"]], np.nan):
        manifest.loc[2, ["label:normal", "label:pneumonia"]] = labels
        assert near_duplicate_contradicting.find(manifest, **evidence).empty


def test_copies_with_contradicting_labels_are_left_to_their_own_check():
    manifest, _, evidence = broken()
    manifest.loc[2, "pixels_sha256"] = manifest["pixels_sha256"][0]
    assert near_duplicate_contradicting.find(manifest, **evidence).empty


def test_an_image_linked_to_such_copies_is_named_if_its_label_is_known():
    manifest, _, _ = broken()
    name = manifest["image"]
    manifest.loc[2, "pixels_sha256"] = manifest["pixels_sha256"][0]
    pairs = factories.pairs((name[0], name[4], 0.995))
    found = near_duplicate_contradicting.find(manifest, pairs=pairs)
    assert found["image"].tolist() == [name[4]]
    manifest.loc[4, ["label:normal", "label:pneumonia"]] = np.nan
    assert near_duplicate_contradicting.find(manifest, pairs=pairs).empty
