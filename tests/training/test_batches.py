"""Batches: every image once an epoch, in a keyed order that no history can alter."""

import dataclasses

import numpy as np
import pytest

from cxr import seeding
from cxr.training.batches import (
    SCORED,
    Images,
    changed,
    epoch_batches,
    normalise,
    order,
    scored,
    steps_per_epoch,
)
from cxr.training.network import build
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


def test_images_are_changed_each_by_itself_or_not_at_all():
    images = seeding.stream(1, "images").integers(0, 256, size=(6, 16, 16), dtype=np.uint8)
    wide = tiny().augmentation
    both, one = (
        changed(images, np.array(positions), wide, seed=1, stream=("test",))
        for positions in ([4, 2], [2])
    )
    assert np.array_equal(both[1], one[0]) and not np.array_equal(one[0], images[2])
    nothing = dict.fromkeys(("rotate_deg", "translate", "scale", "brightness", "contrast"), 0.0)
    still = dataclasses.replace(wide, **nothing)
    same = changed(images, np.array([4, 2]), still, seed=1, stream=("test",))
    assert np.array_equal(same, images[[4, 2]])


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


def test_images_are_scored_in_order_and_none_is_left_out():
    many = np.arange(SCORED + 3, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 2), np.uint8)
    found = list(scored(many, tiny()))
    assert [len(batch) for batch in found] == [SCORED, 3]
    wanted = normalise(many, mean=tiny().mean, std=tiny().std)
    assert all(a.equal(b) for a, b in zip(found, wanted.split(SCORED), strict=True))


def test_the_feed_of_images_is_the_augmented_epoch_normalised_for_the_whole_network():
    recipe = tiny(batch_size=4)
    feed = Images(IMAGES, IMAGES[:3], recipe, 1, ("test",))
    found = list(feed.batches(2))
    for (positions, inputs), (wanted, drawn) in zip(found, batches(epoch=2), strict=True):
        assert np.array_equal(positions, wanted)
        assert inputs.equal(normalise(drawn, mean=recipe.mean, std=recipe.std))
    drawn = order(len(IMAGES), batch_size=4, seed=1, stream=("test",), epoch=2)
    assert all(np.array_equal(a, b) for a, (b, _) in zip(drawn, found, strict=True))
    (val,) = feed.val()
    assert val.equal(normalise(IMAGES[:3], mean=recipe.mean, std=recipe.std))
    network = build(recipe, labels=2, seed=1, fold=0)
    assert feed.reader(network) is network
