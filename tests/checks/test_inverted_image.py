"""inverted_image: the negative fits."""

from typing import Any

import numpy as np
import pandas as pd

from cxr.checks import inverted_image, rotated_image
from tests import factories
from tests.checks import chests


def broken() -> tuple[pd.DataFrame, list[str], dict[str, Any]]:
    manifest = factories.manifest(160)
    thumbnails = chests.thumbnails(manifest)
    thumbnails[[4, 70]] = 255 - thumbnails[[4, 70]]
    return manifest, manifest["image"][[4, 70]].tolist(), {"thumbnails": thumbnails}


def test_a_negative_is_not_called_turned_too():
    manifest, _, evidence = broken()
    assert rotated_image.find(manifest, **evidence).empty


def test_upright_images_are_left_alone():
    manifest = factories.manifest(160)
    thumbnails = chests.thumbnails(manifest)
    assert inverted_image.find(manifest, thumbnails=thumbnails).empty


def test_a_small_set_is_not_judged():
    manifest, _, evidence = broken()
    few = inverted_image.find(manifest[:90], thumbnails=evidence["thumbnails"][:90])
    assert few.empty


def test_lateral_images_are_judged_by_their_own_kind():
    """Forty side views, all alike, are fewer than a template needs; as frontal ones they stand out."""
    manifest = factories.manifest(160)
    thumbnails = chests.thumbnails(manifest)
    thumbnails[120:] = 255 - thumbnails[120:]
    assert len(inverted_image.find(manifest, thumbnails=thumbnails)) == 40
    manifest.loc[120:, "view"] = "LATERAL"
    assert inverted_image.find(manifest, thumbnails=thumbnails).empty


def test_unreadable_images_and_masks_don_t_count():
    manifest, _, evidence = broken()
    manifest.loc[4, "fault"], manifest.loc[70, "kind"] = "is damaged", "mask"
    evidence["thumbnails"][4] = 0
    assert inverted_image.find(manifest, **evidence).empty


def test_one_constant_image_does_no_harm():
    manifest, images, evidence = broken()
    evidence["thumbnails"][9], manifest.loc[9, "grey_std"] = 7, np.float64(0)
    assert inverted_image.find(manifest, **evidence)["image"].tolist() == images
