"""arrival_in_frozen_part: patients and X-rays of test that come again, and what links them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cxr.checks import arrival_in_frozen_part
from tests import factories
from tests.checks import arriving

TEST = ("toy/images/000000.png", "toy/images/000001.png", "toy/images/000002.png")


def broken() -> tuple[pd.DataFrame, list[str], dict[str, Any]]:
    """Of the new images one is of a test patient, one has a test image's pixels, one nearly has."""
    manifest = arriving.manifest(40, 20)
    manifest.loc[41, "patient"] = manifest.loc[0, "patient"]
    manifest.loc[[43, 45], "pixels_sha256"] = manifest.loc[[2, 30], "pixels_sha256"].to_numpy()
    images = [manifest.loc[i, "image"] for i in (41, 43, 47)]
    pairs = factories.pairs((TEST[1], images[2], 0.995), (TEST[0], "toy/images/000009.png", 0.999))
    return manifest, images, {"pairs": pairs, "arrival": arriving.arrival(TEST)}


def test_the_link_is_named():
    manifest, _, evidence = broken()
    assert arrival_in_frozen_part.find(manifest, **evidence)["detail"].tolist() == [
        f"patient toy/000000, of whom is {TEST[0]}",
        f"the pixels of {TEST[2]}",
        f"almost the pixels of {TEST[1]}",
    ]


def test_new_images_that_stand_in_the_part_themselves_are_where_they_belong():
    manifest, images, evidence = broken()
    evidence["arrival"] = arriving.arrival((*TEST, *images))
    found = arrival_in_frozen_part.find(manifest, **evidence)
    assert found["image"].tolist() == [
        "toy/new/000042.png",
        "toy/new/000046.png",
    ]  # of their patients


def test_nothing_is_said_without_an_arrival():
    manifest, _, evidence = broken()
    assert arrival_in_frozen_part.find(manifest, **{**evidence, "arrival": None}).empty
