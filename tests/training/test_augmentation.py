"""Augmentation: identity where nothing is asked, geometry where it is, keyed draws."""

import numpy as np
import pytest

from cxr import seeding
from cxr.training.augmentation import augment, is_still
from cxr.training.recipe import Augmentation

NOTHING = {
    **dict.fromkeys(("rotate_deg", "translate", "scale", "brightness", "contrast"), 0.0),
    "flip": False,
    "border": "black",
}


def settings(**changes: float | str) -> Augmentation:
    return Augmentation(**{**NOTHING, **changes})


@pytest.fixture
def image() -> np.ndarray:
    return seeding.stream(1, "image").integers(20, 235, size=(33, 33), dtype=np.uint8)


def test_no_range_means_no_change(image):
    assert np.array_equal(augment(image, settings(), rng=seeding.stream(1, "a")), image)


@pytest.mark.parametrize("name", [name for name in NOTHING if name != "border"])
def test_only_settings_that_change_nothing_are_still(image, name):
    assert is_still(settings()) and is_still(settings(border="edge"))
    some = settings(**{name: name == "flip" or 0.1})
    assert not is_still(some)
    drawn = [augment(image, some, rng=seeding.stream(seed, "a")) for seed in range(8)]
    assert not all(np.array_equal(one, image) for one in drawn)


def test_same_key_same_bytes_other_key_other_bytes(image):
    wide = settings(rotate_deg=10.0, translate=0.08, scale=0.08, brightness=0.1, contrast=0.1)
    first, again, other = (augment(image, wide, rng=seeding.stream(1, name)) for name in "aab")
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_shift_moves_by_the_drawn_share(image):
    rng = seeding.stream(3, "shift")
    drawn = seeding.stream(3, "shift").uniform(-1, 1, size=6)
    moved = augment(image, settings(translate=10 / 33), rng=rng).astype(float)
    right, down = (round(float(10 * share)) for share in drawn[2:4])
    inner = np.s_[12:21, 12:21]
    shifted = np.roll(image, (-down, -right), axis=(0, 1)).astype(float)
    unshifted = np.abs(moved - image)[inner].mean()
    assert np.abs(moved - shifted)[inner].mean() < 0.6 * unshifted


def test_rotation_keeps_the_centre_pixel(image):
    turned = augment(image, settings(rotate_deg=90.0), rng=seeding.stream(5, "turn"))
    assert turned[16, 16] == image[16, 16]
    assert not np.array_equal(turned, image)


def test_from_outside_comes_black_or_the_edge_again():
    even = np.full((33, 33), 200, np.uint8)
    moved = {
        border: augment(
            even, settings(translate=0.3, border=border), rng=seeding.stream(3, "shift")
        )
        for border in ("black", "edge")
    }
    assert moved["black"].min() == 0 and np.array_equal(moved["edge"], even)


def test_brightness_shifts_the_mean_and_clips(image):
    rng = seeding.stream(2, "light")
    drawn = seeding.stream(2, "light").uniform(-1, 1, size=6)[4]
    lit = augment(image, settings(brightness=0.05), rng=rng).astype(float)
    assert lit.mean() - image.mean() == pytest.approx(0.05 * 255 * drawn, abs=0.6)
    assert augment(image, settings(contrast=50.0), rng=seeding.stream(2, "x")).max() <= 255


def test_flip_mirrors_about_half_of_the_images(image):
    mirrored = sum(
        np.array_equal(
            augment(image, settings(flip=True), rng=seeding.stream(0, n)), image[:, ::-1]
        )
        for n in range(200)
    )
    assert 70 <= mirrored <= 130
