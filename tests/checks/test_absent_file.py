"""absent_file: listed, but not there."""

from typing import Any

import pandas as pd

from cxr.checks import _gaps, absent_file
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str], dict[str, Any]]:
    gaps = factories.gaps(
        ("toy/b.png", "absent"), ("toy/a.png", "absent"), ("toy/c.png", "unlisted")
    )
    return factories.manifest(12), ["toy/a.png", "toy/b.png"], {"gaps": gaps}


def test_many_are_one_finding_with_their_number_and_the_first():
    many = [(f"toy/images/{i:06d}.png", "absent") for i in range(1200)][::-1]
    gaps = factories.gaps(*many, ("other/x.png", "absent"))
    found = absent_file.find(factories.manifest(12), gaps=gaps)
    assert found["image"].tolist() == ["other/x.png", ""]
    assert found["detail"].iloc[1] == (
        "toy: 1,200 listed without a file, 12 images are there; the first is "
        "toy/images/000000.png, all are in data/gaps.csv"
    )


def test_up_to_a_hundred_are_named():
    gaps = factories.gaps(*((f"toy/{i:03d}.png", "absent") for i in range(_gaps.MOST)))
    assert (
        absent_file.find(factories.manifest(2), gaps=gaps)["image"].tolist()
        == gaps["image"].tolist()
    )
