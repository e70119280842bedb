"""patient_across_given_splits: the data set's own test shows patients of its train."""

import pandas as pd

from cxr.checks import patient_across_given_splits
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    """Patient 3 has images 6 and 7, the border runs between them."""
    manifest = factories.manifest(12)
    manifest["given_split"] = ["train"] * 7 + ["test"] * 5
    return manifest, manifest["image"][[6, 7]].tolist()


def test_patient_and_splits_are_named():
    detail = patient_across_given_splits.find(broken()[0])["detail"].iloc[0]
    assert detail == "patient toy/000003 in given splits: test, train"
