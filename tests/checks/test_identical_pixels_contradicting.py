"""identical_pixels_contradicting: the same pixels, once with a label and once without."""

import pandas as pd

from cxr.checks import identical_pixels, identical_pixels_contradicting
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    """Image 2 is a copy of 0; the factory gives patients 0 and 1 different labels."""
    manifest = factories.manifest(12)
    manifest.loc[2, "pixels_sha256"] = manifest["pixels_sha256"][0]
    return manifest, manifest["image"][[0, 2]].tolist()


def test_both_labels_are_named():
    detail = identical_pixels_contradicting.find(broken()[0])["detail"].iloc[0]
    assert detail.endswith("have the labels: normal, pneumonia")


def test_such_copies_are_not_called_harmless_too():
    assert identical_pixels.find(broken()[0]).empty
