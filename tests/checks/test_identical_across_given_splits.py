"""identical_across_given_splits: the data set's own test shows pixels of its train."""

import pandas as pd

from cxr.checks import identical_across_given_splits
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    manifest = factories.manifest(12)
    manifest["given_split"] = ["train"] * 8 + ["test"] * 4
    manifest.loc[8, "pixels_sha256"] = manifest["pixels_sha256"][0]
    return manifest, manifest["image"][[0, 8]].tolist()


def test_the_splits_are_named():
    detail = identical_across_given_splits.find(broken()[0])["detail"].iloc[0]
    assert detail.endswith("in given splits: test, train")


def test_copies_within_one_split_are_not_meant():
    manifest, _ = broken()
    manifest["given_split"] = "train"
    assert identical_across_given_splits.find(manifest).empty


def test_an_image_without_given_split_is_on_no_side():
    manifest, _ = broken()
    manifest.loc[0, "given_split"] = ""
    assert identical_across_given_splits.find(manifest).empty
