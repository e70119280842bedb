"""rotated_image: on the side, upside down."""

import os
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from cxr import archives, images, seeding
from cxr.checks import _orientation, inverted_image, rotated_image
from tests import factories
from tests.checks import chests


def broken() -> tuple[pd.DataFrame, list[str], dict[str, Any]]:
    manifest = factories.manifest(160)
    thumbnails = chests.thumbnails(manifest)
    for quarters, row in enumerate((7, 30, 100), start=1):
        thumbnails[row] = np.rot90(thumbnails[row], quarters)
    return manifest, manifest["image"][[7, 30, 100]].tolist(), {"thumbnails": thumbnails}


def test_how_it_lies_is_named():
    manifest, _, evidence = broken()
    assert rotated_image.find(manifest, **evidence)["detail"].tolist() == [
        "turned by 90 degrees to the left",
        "upside down",
        "turned by 90 degrees to the right",
    ]


def test_a_turned_image_is_not_called_inverted_too():
    manifest, _, evidence = broken()
    assert inverted_image.find(manifest, **evidence).empty


def test_where_a_third_is_turned_all_of_it_is_found():
    manifest = factories.manifest(300)
    thumbnails = chests.thumbnails(manifest)
    for quarters in (1, 2, 3):
        rows = slice(33 * quarters, 33 * (quarters + 1))
        thumbnails[rows] = np.rot90(thumbnails[rows], quarters, axes=(1, 2))
    found = rotated_image.find(manifest, thumbnails=thumbnails)
    assert found["image"].tolist() == manifest["image"][33:132].tolist()


def test_images_that_lie_in_all_ways_are_no_measure():
    manifest = factories.manifest(200)
    thumbnails = chests.thumbnails(manifest)
    for row in range(200):
        thumbnails[row] = np.rot90(thumbnails[row], row)
    assert rotated_image.find(manifest, thumbnails=thumbnails).empty


def test_one_in_a_hundred_real_images_turned_or_inverted_is_found():
    folder = os.environ.get("CXR_REAL_DATA")
    if not folder:
        pytest.skip("CXR_REAL_DATA is not set: no real image is turned")
    from pathlib import Path

    root = Path(folder, "darkcovidnet")
    names = [name for name in archives.members(root) if images.is_image(name)]
    greys = [images.decode(archives.read(root, name), name=name).grey for name in names]
    archives.close()
    small = np.stack([cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA) for grey in greys])
    manifest = factories.manifest(len(small))
    before = _orientation.poses(manifest, small)
    assert (before > 0).sum() <= 5
    rows = seeding.stream(1, "turned").permutation(np.flatnonzero(before == 0))[:48].reshape(4, 12)
    for pose, turned in enumerate(rows, start=1):
        inverted = _orientation.POSES[pose] == "inverted"
        small[turned] = (
            255 - small[turned] if inverted else np.rot90(small[turned], pose, axes=(1, 2))
        )
    after = _orientation.poses(manifest, small)
    right = sum(int((after[turned] == pose).sum()) for pose, turned in enumerate(rows, start=1))
    assert right >= 45


@pytest.mark.parametrize("level", [0, 77])
def test_images_that_all_look_the_same_break_nothing(level):
    manifest = factories.manifest(300)
    thumbnails = np.full((300, 32, 32), level, np.uint8)
    thumbnails[:, :5] = level // 2  # and not constant
    for same in (thumbnails, np.zeros_like(thumbnails)):
        assert rotated_image.find(manifest, thumbnails=same).empty
