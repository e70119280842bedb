"""Batches: every image once an epoch, in a keyed order that no history can alter."""

import numpy as np
import pytest

from cxr.training.batches import epoch_batches, normalise, steps_per_epoch
from tests.training.recipes import tiny

IMAGES = np.arange(10, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 8), np.uint8) * 20


def batches(*, epoch: int, batch_size: int = 4):
    return list(
        epoch_batches(
            IMAGES, batch_size=batch_size, augmentation=tiny().augmentation, seed=1,
            stream=("test",), epoch=epoch,
        )
    )  # fmt: skip


def test_an_epoch_shows_no_image_twice_and_drops_the_ragged_end():
    positions = np.concatenate([positions for positions, _ in batches(epoch=0)])
    assert len(positions) == 8 == len(set(positions.tolist()))


def test_epoch_three_is_the_same_whether_or_not_others_came_before():
    direct = batches(epoch=3)
    for epoch in range(3):
        batches(epoch=epoch)
    later = batches(epoch=3)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(direct, later, strict=True))
    assert not np.array_equal(batches(epoch=2)[0][0], direct[0][0])


def test_augmentation_follows_the_image_not_its_place_in_the_batch():
    small = {
        int(p): image
        for ps, images in batches(epoch=1, batch_size=2)
        for p, image in zip(ps, images, strict=True)
    }
    large = {
        int(p): image
        for ps, images in batches(epoch=1, batch_size=5)
        for p, image in zip(ps, images, strict=True)
    }
    assert all(np.array_equal(small[p], large[p]) for p in small)


def test_fewer_images_than_a_batch_make_one_batch():
    ((positions, images),) = batches(epoch=0, batch_size=64)
    assert sorted(positions.tolist()) == list(range(10)) and images.shape == (10, 8, 8)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 5, 10, 11, 64])
def test_an_epoch_has_the_steps_that_were_foretold(batch_size):
    steps = steps_per_epoch(len(IMAGES), batch_size)
    assert steps == len(batches(epoch=0, batch_size=batch_size)) == max(10 // batch_size, 1)


def test_normalise_maps_grey_to_mean_zero_and_unit_spread():
    out = normalise(np.array([[[0, 255]]], np.uint8), mean=0.5, std=0.5)
    assert out.shape == (1, 1, 1, 2)
    assert out.flatten().tolist() == pytest.approx([-1.0, 1.0])
