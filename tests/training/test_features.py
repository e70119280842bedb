"""Kept features: a training with them is the training without, to the byte, and they are made only once."""

import dataclasses

import numpy as np
import pytest
import torch

from cxr import numerics, seeding
from cxr.training import batches, features, loop
from cxr.training.augmentation import augment
from cxr.training.network import Network, build, freeze
from tests.training.recipes import TINY, tiny
from tests.training.test_loop import SEARCHED, STREAM, bright_or_dark, digest

numerics.exact_torch()
STILL = dict.fromkeys(("rotate_deg", "translate", "scale", "brightness", "contrast"), 0.0)
STILL = {**TINY["augmentation"], **STILL}
IMAGES = bright_or_dark(20, seed=2).images_NHW
VAL = bright_or_dark(10, seed=3).images_NHW
S2 = ["head", "conv_head", "bn2"]


def fit(folder, *, images: int = 20, **changes) -> loop.Fitted:
    recipe = tiny(**changes)
    network = build(recipe, labels=2, seed=1, fold=0)
    train, val = bright_or_dark(images, seed=2), bright_or_dark(67, seed=3)
    return loop.fit(network, recipe, train=train, val=val, seed=1, stream=STREAM, kept=folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"trainable": ["head"]},
        {"trainable": S2, "ema_decay": 0.9, "batch_size": 7},
        {"trainable": ["head"], "backbone_options": {"drop_rate": 0.2}},
        {"trainable": ["head", "blocks.6"], "backbone_options": {"drop_path_rate": 0.2}},
        {"trainable": ["head"], "batch_size": 64},
        {"trainable": ["head", "layer4"], "backbone": "resnet18", "epochs": 1},
        {"trainable": ["head", "pre_logits"], "backbone": "vgg16", "backbone_options": {"mlp_ratio": 0.01}, "epochs": 1},
        {"trainable": ["head"], "backbone": "efficientnet_b0", "epochs": 1},
        {"trainable": ["head", "features.denseblock4"], "backbone": "densenet121", "epochs": 1},
        {"trainable": ["head", "stage0"], "backbone": "searched", "backbone_options": SEARCHED},
    ],
)  # fmt: skip
def test_without_augmentation_the_training_is_the_same_to_the_byte(tmp_path, changes):
    without = fit(tmp_path, augmentation=STILL, **changes)
    kept = fit(tmp_path, augmentation=STILL, frozen_views=3, **changes)
    assert digest(kept) == digest(without)
    assert kept.history == without.history


@pytest.mark.parametrize("size", [2, 8, 32])
@pytest.mark.parametrize("backbone", ["mobilenetv2_100", "resnet18"])
def test_the_place_in_a_batch_of_one_size_changes_no_bit(backbone, size):
    """If this ever fails, features may no longer be made in the order of the images."""
    network = build(tiny(backbone=backbone), labels=2, seed=1, fold=0).eval()
    images = torch.randn(96, 1, 32, 32, generator=seeding.torch_stream(1, "images"))
    shuffled = torch.from_numpy(seeding.stream(1, "order").permutation(96))
    with torch.inference_mode():
        in_order, mixed = (
            torch.cat([network.backbone(images[some]) for some in order.split(size)])
            for order in (torch.arange(96), shuffled)
        )
    assert torch.equal(in_order[shuffled], mixed)


def feed(folder, *, network: Network | None = None, images=IMAGES, seed=1, **changes):
    changes = {"trainable": ["head"], "frozen_views": 2, **changes}
    recipe = tiny(**changes)
    network = network or build(recipe, labels=2, seed=1, fold=0)
    freeze(network, recipe.trainable)
    return features.feed(network, recipe, images, VAL, seed=seed, stream=STREAM, folder=folder)


def by_image(made: batches.Feed, epoch: int) -> dict[int, bytes]:
    return {
        int(position): row.numpy().tobytes()
        for positions, inputs in made.batches(epoch)
        for position, row in zip(positions, inputs, strict=True)
    }


def test_epochs_take_turns_with_the_views(tmp_path):
    made = feed(tmp_path)
    first, second, third = (by_image(made, epoch) for epoch in range(3))
    assert all(third[i] == first[i] for i in first.keys() & third.keys())
    assert not any(second[i] == first[i] for i in first.keys() & second.keys())
    assert len(first.keys() & third.keys()) >= 12 <= len(first.keys() & second.keys())


def test_a_view_is_the_augmented_images_of_its_own_stream(tmp_path):
    made = feed(tmp_path)
    changed = [
        augment(IMAGES[i], made.recipe.augmentation, rng=seeding.stream(1, *STREAM, "view", 1, i))
        for i in range(8)
    ]
    inputs = batches.normalise(np.stack(changed), mean=made.recipe.mean, std=made.recipe.std)
    wanted = made.cut.below(inputs)
    found = by_image(made, 1)
    seen = [i for i in range(8) if i in found]
    assert len(seen) >= 4  # 4 of 20 are left out: they fill no batch
    assert all(found[i] == wanted[i].numpy().tobytes() for i in seen)


def test_images_come_in_the_order_in_which_they_would_without(tmp_path):
    made, without = feed(tmp_path), feed(tmp_path, frozen_views=0)
    assert isinstance(without, batches.Images)
    for epoch in range(2):
        for (kept, _), (seen, _) in zip(made.batches(epoch), without.batches(epoch), strict=True):
            assert np.array_equal(kept, seen)


def test_without_augmentation_one_view_is_made_however_many_are_asked_for(tmp_path):
    made = feed(tmp_path, augmentation=STILL, frozen_views=5)
    assert by_image(made, 0).keys() != by_image(made, 1).keys()
    assert len(list(tmp_path.iterdir())) == 1


def counted(network: Network) -> list[int]:
    """Return a list that grows by the size of each batch that the first layer is given."""
    sizes: list[int] = []
    network.backbone.conv_stem.register_forward_hook(lambda *x: sizes.append(len(x[1][0])))
    return sizes


def started(**changes) -> Network:
    return build(tiny(**changes), labels=2, seed=1, fold=0)


def test_a_training_that_is_begun_again_finds_its_features(tmp_path):
    before = feed(tmp_path)
    wanted = by_image(before, 0), [x.numpy().tobytes() for x in before.val()]
    network = started()
    after, sizes = feed(tmp_path, network=network), counted(network)
    assert (by_image(after, 0), [x.numpy().tobytes() for x in after.val()]) == wanted
    assert sizes == []
    by_image(after, 1)
    assert sizes == [8, 8, 8]  # of another view there were none


def test_a_training_that_is_stopped_leaves_no_half_of_a_view(tmp_path):
    network = started()
    made, sizes = feed(tmp_path, network=network), counted(network)

    def stop(*_):
        if len(sizes) == 2:
            raise KeyboardInterrupt

    hook = network.backbone.conv_stem.register_forward_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        by_image(made, 0)
    hook.remove()
    assert list(tmp_path.iterdir()) == []
    assert by_image(made, 0) == by_image(feed(tmp_path / "other"), 0)


def test_a_file_that_is_cut_short_is_made_again(tmp_path):
    wanted = by_image(feed(tmp_path), 0)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-4])
    assert by_image(feed(tmp_path), 0) == wanted


def test_done_means_that_nothing_is_left_even_of_a_killed_process(tmp_path):
    made = feed(tmp_path)
    by_image(made, 0)
    (path,) = tmp_path.iterdir()
    (tmp_path / f".{path.name}.4711.partial").write_bytes(b"half")
    (tmp_path / "another.f32").write_bytes(b"another training's")
    made.finish()
    assert [x.name for x in tmp_path.iterdir()] == ["another.f32"]


def test_one_of_two_equal_trainings_may_end_while_the_other_goes_on(tmp_path):
    one, other = feed(tmp_path), feed(tmp_path)
    wanted = [by_image(x, 0) for x in (one, other)]
    one.finish()
    assert wanted[0] == wanted[1] == by_image(other, 0)
    assert len(by_image(other, 1)) == 16
    other.finish()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_an_equal_training_clears_away_meanwhile_is_not_missed(tmp_path):
    network = started()
    made, wanted = feed(tmp_path / "one", network=network), by_image(feed(tmp_path / "two"), 0)

    def clear(*_):
        for path in sorted((tmp_path / "one").glob(".*.partial")):
            path.unlink()

    network.backbone.conv_stem.register_forward_hook(clear)
    assert by_image(made, 0) == wanted
    assert list((tmp_path / "one").iterdir()) == []


def names(folder, **changes) -> list[str]:
    made = feed(folder, **changes)
    by_image(made, 0)
    list(made.val())
    found = sorted(path.name for path in folder.iterdir())
    made.finish()
    return found


FEWER = {**TINY["augmentation"], "contrast": 0.0}


@pytest.mark.parametrize(
    ("changes", "common"),
    [
        ({"epochs": 9, "head": {"kind": "linear", "hidden": [], "dropout": 0.5}}, 2),
        ({"frozen_views": 7}, 2),
        ({"seed": 2}, 1),  # of the features of val, which nothing augments
        ({"augmentation": FEWER}, 1),
        ({"batch_size": 4}, 1),
        ({"images": IMAGES[::-1]}, 1),
        ({"mean": 0.5}, 0),
        ({"trainable": S2}, 0),
    ],
)
def test_features_are_found_by_what_they_depend_on_and_nothing_else(tmp_path, changes, common):
    assert len(set(names(tmp_path)) & set(names(tmp_path, **changes))) == common


def test_other_weights_have_other_features(tmp_path):
    other = started()
    with torch.no_grad():
        other.backbone.bn1.running_mean[0] += 1e-3
    assert not set(names(tmp_path)) & set(names(tmp_path, network=other))


def test_a_full_disk_is_told_with_the_file(tiny_disk):
    with pytest.raises(OSError, match="No space left on device") as told:
        by_image(feed(tiny_disk), 0)  # 20 x 1280 x 4 bytes
    assert told.value.filename.endswith(".f32")
    assert list(tiny_disk.iterdir()) == []


def test_augmented_views_are_learned_from_and_repeat_to_the_bit(tmp_path):
    changes = {
        "backbone": "resnet10t", "trainable": ["head", "layer4"], "frozen_views": 2, "epochs": 4,
        "augmentation": {**TINY["augmentation"], "brightness": 0.0},
    }  # fmt: skip
    first, again = (fit(tmp_path, images=64, **changes) for _ in range(2))
    assert digest(first) == digest(again)
    assert first.history[-1].val_auroc > 0.95
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_without_frozen_views_keeps_nothing(tmp_path):
    fit(tmp_path / "kept", trainable=["head"])
    assert not (tmp_path / "kept").exists()


def test_the_settings_of_augmentation_that_leave_an_image_alone(tmp_path):
    recipe = tiny(augmentation=STILL, trainable=["head"], frozen_views=1)
    changed = augment(IMAGES[0], recipe.augmentation, rng=seeding.stream(1, "any"))
    assert np.array_equal(changed, IMAGES[0])
    for field in dataclasses.fields(recipe.augmentation):
        more = True if field.name == "flip" else 0.01
        moved = {**STILL, field.name: "edge" if field.name == "border" else more}
        assert feed(tmp_path, augmentation=moved).still == (field.name == "border")
