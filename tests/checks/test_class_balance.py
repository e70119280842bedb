"""class_balance: one answer is nearly always right."""

import pandas as pd
import pytest

from cxr.checks import class_balance
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    """Two images of a hundred have pneumonia and two are not normal."""
    manifest = factories.manifest(100)
    manifest["label:pneumonia"] = [1.0, 1.0] + [0.0] * 98
    manifest["label:normal"] = 1 - manifest["label:pneumonia"]
    return manifest, ["", ""]


def test_the_rarer_answer_is_named():
    assert class_balance.find(broken()[0])["detail"].tolist() == [
        "normal is absent in 2 of 100 images: the other answer is right 98.0% of the time",
        "pneumonia is present in 2 of 100 images: the other answer is right 98.0% of the time",
    ]


@pytest.mark.parametrize("present", [0, 5, 50])
def test_none_and_one_in_twenty_are_not_meant(present):
    manifest = factories.manifest(100, labels=("mass",))
    manifest["label:mass"] = [1.0] * present + [0.0] * (100 - present)
    assert class_balance.find(manifest).empty
