"""mask_among_images: two greys, or a row that says so."""

import io

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxr.checks import mask_among_images
from tests import factories


def broken() -> tuple[pd.DataFrame, list[str]]:
    """Row 3 says that it is a mask; row 5 has 30 of 100 pixels white, the others black."""
    manifest = factories.manifest(12)
    manifest.loc[3, "kind"] = "mask"
    manifest.loc[5, ["grey_mean", "grey_std"]] = [0.3 * 255, np.sqrt(0.3 * 0.7) * 255]
    return manifest, manifest["image"][[3, 5]].tolist()


def with_statistics(grey: np.ndarray) -> pd.DataFrame:
    manifest = factories.manifest(2)
    for name in ("min", "max", "mean", "std"):
        manifest[f"grey_{name}"] = float(getattr(grey.astype(float), name)())
    return manifest


def lungs(side: int) -> np.ndarray:
    grey = np.zeros((299, 299), np.uint8)
    for x in (100, 205):
        cv2.ellipse(grey, (x, 150), (42, 92), 0, 0, 360, 255, -1)
    return cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("side", [299, 224, 128, 64])
@pytest.mark.parametrize("quality", [95, 75, 50])
def test_masks_blurred_by_resizing_and_jpeg_are_found(side, quality):
    buffer = io.BytesIO()
    Image.fromarray(lungs(side)).save(buffer, format="jpeg", quality=quality)
    grey = np.asarray(Image.open(buffer))
    assert len(np.unique(grey)) > 10
    assert len(mask_among_images.find(with_statistics(grey))) == 2


def test_lungs_cut_out_of_an_x_ray_are_no_mask():
    """Greys from 60 to 200 inside, black outside."""
    inside = np.linspace(60, 200, 299).astype(np.uint8)[:, None]
    assert mask_among_images.find(with_statistics(np.where(lungs(299) > 0, inside, 0))).empty


def test_an_image_of_one_grey_is_no_mask():
    assert mask_among_images.find(with_statistics(np.full((9, 9), 7))).empty
