"""Models on disk: rebuilt bit for bit in another process, refused when they do not fit."""

import dataclasses
import hashlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from cxr import artifacts, numerics, seeding
from cxr.training import loop, losses, models
from cxr.training.augmentation import augment
from cxr.training.network import build
from tests.architectures.cases import cells, stage
from tests.training import scored
from tests.training.recipes import tiny

numerics.exact_torch()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    members = [member(fold) for fold in range(2)]
    models.save(folder, tiny(), members, labels=["a", "b", "c"], size_px=32)
    return folder


@pytest.fixture
def model(tmp_path, written):
    return shutil.copytree(written, tmp_path / "model")


def member(fold):
    tensors = build(tiny(), labels=3, seed=1, fold=fold).state_dict()
    return models.Saved(loop.Fitted(dict(tensors), best_epoch=fold, history=[]), {}, {}, 1.0)


@pytest.fixture
def images():
    return seeding.stream(1, "images").integers(0, 256, size=(5, 32, 32), dtype=np.uint8)


def test_config_says_what_the_model_is(model):
    config = models.config(model)
    assert config["labels"] == ["a", "b", "c"] and config["folds"] == 2
    assert config["parameters"] == sum(
        p.numel() for p in models.load(model, 0).network.parameters()
    )
    assert 0 < config["macs"] < 10_000_000


def test_rebuilt_in_another_process_it_scores_the_same_bits(model, images, tmp_path):
    here = models.predict(models.load(model, 1), images)
    artifacts.write_array(tmp_path / "images.npy", images)
    code = (
        "import sys, pathlib, numpy as np; from cxr import numerics; numerics.exact_torch();"
        "from cxr.training import models; folder, images = sys.argv[1:];"
        "scores = models.predict(models.load(pathlib.Path(folder), 1), np.load(images));"
        "print(scores.tobytes().hex())"
    )
    there = subprocess.run(
        [sys.executable, "-c", code, model, tmp_path / "images.npy"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert there.stdout.strip() == here.tobytes().hex()


def test_folds_are_different_networks(model, images):
    first, second = (models.predict(models.load(model, fold), images) for fold in range(2))
    assert not np.array_equal(first, second)


def test_a_recipe_is_read_without_the_network(model, monkeypatch):
    wide = cells(stage(width=8, depth=1), stem=8)
    differing = {"backbone_options": wide, "pruning": {}, "temperature": 1.0}
    artifacts.write_json(model / "fold-1.json", differing)
    approve(model)
    expected = models.load(model, 0).recipe
    (model / "fold-0.safetensors").unlink()
    monkeypatch.delattr(models, "build")
    assert models.recipe(model, 0) == expected == tiny()
    assert models.recipe(model, 1) == tiny(backbone_options=wide)
    with pytest.raises(ValueError, match=r"fold-2\.json is missing: the model has 2 fold\(s\)"):
        models.recipe(model, 2)
    artifacts.write_json(model / "recipe.json", {})
    with pytest.raises(ValueError, match=r"recipe\.json was changed"):
        models.recipe(model, 0)


@pytest.mark.parametrize("shards", [1, 4])
def test_shards_are_told_by_the_models_that_have_them(tmp_path, shards):
    """So a model that was trained whole has the bytes of one from before there were shards."""
    recipe = tiny(shards=shards)
    models.save(tmp_path, recipe, [member(0)], labels=["a", "b", "c"], size_px=32)
    assert models.shared_recipe(tmp_path) == recipe
    written = artifacts.read_json(tmp_path / "recipe.json")
    assert written.get("shards") == (None if shards == 1 else shards)


def test_missing_damaged_and_foreign_models_are_refused(model, tmp_path):
    with pytest.raises(ValueError, match=r"config\.json is missing: run `dvc repro`"):
        models.load(tmp_path / "nothing", 0)
    with pytest.raises(ValueError, match=r"fold-2\.json is missing: the model has 2 fold\(s\)"):
        models.load(model, 2)
    weights = model / "fold-0.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    approve(model)
    with pytest.raises(ValueError, match=r"fold-0\.safetensors is damaged"):
        models.load(model, 0)
    artifacts.write_tensors(
        weights, {"x": build(tiny(), labels=3, seed=1, fold=0).head[1].bias}, {}
    )
    approve(model)
    with pytest.raises(ValueError, match=r"fold-0\.safetensors does not fit its recipe"):
        models.load(model, 0)
    recipe = artifacts.read_json(model / "recipe.json")
    artifacts.write_json(model / "recipe.json", {**recipe, "surprise": 1})
    approve(model)
    with pytest.raises(ValueError, match=r"recipe\.json\.surprise is unknown"):
        models.load(model, 1)


def approve(model):
    """Let config.json name the files as they are now, as only our own bug would leave them."""
    hashes = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in model.iterdir()
        if path.name != "config.json"
    }
    artifacts.write_json(model / "config.json", {**models.config(model), "files": hashes})


@pytest.mark.parametrize("name", ["recipe.json", "fold-0.json", "fold-0.safetensors"])
def test_a_tampered_file_is_refused_by_name(model, name):
    content = bytearray((model / name).read_bytes())
    content[-3] ^= 1
    (model / name).write_bytes(bytes(content))
    with pytest.raises(ValueError, match=rf"{name} was changed: its sha256 is [0-9a-f]{{64}}"):
        models.load(model, 0)


@pytest.mark.parametrize("name", ["recipe.json", "fold-0.json", "fold-0.safetensors"])
def test_a_wrong_hash_and_a_file_that_is_gone_are_refused_by_name(model, name):
    files = models.config(model)["files"]
    wrong = {**files, name: files["fold-1.safetensors"]}
    artifacts.write_json(model / "config.json", {**models.config(model), "files": wrong})
    with pytest.raises(
        ValueError, match=rf"{name} was changed: its sha256 is {files[name]}, config"
    ):
        models.load(model, 0)
    approve(model)
    (model / name).unlink()
    with pytest.raises(ValueError, match=rf"{name} is missing"):
        models.load(model, 0)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", 2, r"config\.json has format 2, this code reads 3"),
        ("files", {}, r"recipe\.json is missing"),
        ("mean", 0.5, r"config\.json was changed: it says mean 0\.5, recipe\.json 0\.449; run"),
        ("std", None, r"config\.json was changed: it says std None"),
        ("loss", "bce", r"it says loss 'bce', recipe\.json 'cross_entropy'"),
        ("test_views", 2, "it says test_views 2, recipe"),
        ("calibration", "temperature", "it says calibration 'temperature'"),
        ("backbone", "resnet18", "it says backbone 'resnet18', recipe"),
        (
            "labels",
            ["a", "b"],
            r"fold-0\.safetensors does not fit its recipe: size mismatch for head",
        ),
    ],
)
def test_a_changed_config_is_refused(model, key, value, message):
    artifacts.write_json(model / "config.json", {**models.config(model), key: value})
    with pytest.raises(ValueError, match=message):
        models.load(model, 0)


@pytest.mark.parametrize(
    ("pruning", "message"),
    [
        (
            {"backbone.nothing": [0]},
            r"no group 'backbone\.nothing' to cut channels from: known are",
        ),
        (
            {"backbone.conv_stem": [0, 16]},
            r"backbone\.conv_stem has channels 0\.\.15; .*not \[0, 16\]",
        ),
        ({"backbone.conv_stem": []}, r"backbone\.conv_stem has channels 0\.\.15; .*not \[\]"),
    ],
)
def test_a_cut_that_does_not_fit_is_refused_with_its_file(model, pruning, message):
    differing = artifacts.read_json(model / "fold-0.json")
    artifacts.write_json(model / "fold-0.json", {**differing, "pruning": pruning})
    with pytest.raises(ValueError, match=r"fold-0\.json was changed: its sha256 is"):
        models.load(model, 0)
    approve(model)
    with pytest.raises(ValueError, match=r"fold-0\.json does not fit: .*" + message):
        models.load(model, 0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"head.1.bias": None}, r'Missing key.*"head\.1\.bias"'),
        ({"head.1.bias": (2,)}, r"size mismatch for head\.1\.bias"),
        ({"backbone.conv_stem.weight": (16, 1, 5, 5)}, r"size mismatch for backbone\.conv_stem"),
        ({"backbone.more": (1,)}, r'Unexpected key.*"backbone\.more"'),
    ],
)
def test_a_missing_or_misshapen_tensor_is_refused_by_name(model, changed, message):
    weights = model / "fold-0.safetensors"
    tensors = artifacts.read_tensors(weights)
    for name, shape in changed.items():
        tensors.pop(name, None)
        if shape:
            tensors[name] = torch.zeros(shape)
    artifacts.write_tensors(weights, tensors, {})
    approve(model)
    with pytest.raises(
        ValueError, match=r"fold-0\.safetensors does not fit its recipe: " + message
    ):
        models.load(model, 0)


@pytest.mark.parametrize("changes", [{}, {"mean": 0.5}])
def test_save_gives_the_same_bytes_again_and_others_for_another_recipe(model, tmp_path, changes):
    again = tmp_path / "again"
    members = [member(fold) for fold in range(2)]
    models.save(again, tiny(**changes), members, labels=["a", "b", "c"], size_px=32)
    same = [
        path.name for path in sorted(model.iterdir())
        if path.read_bytes() == (again / path.name).read_bytes()
    ]  # fmt: skip
    assert len(same) == len(list(model.iterdir())) - 2 * bool(changes)


@pytest.mark.parametrize("loss", ["cross_entropy", "bce"])
def test_a_temperature_is_kept_by_its_fold_and_divides_the_raw_scores(tmp_path, images, loss):
    recipe = tiny(loss=loss, calibration="temperature")
    sharp = dataclasses.replace(member(1), temperature=0.031)
    folder = tmp_path / "model"
    models.save(folder, recipe, [member(0), sharp], labels=["a", "b", "c"], size_px=32)
    plain, sharp = (models.load(folder, fold) for fold in range(2))
    assert (plain.temperature, sharp.temperature) == (1.0, 0.031)
    raw = loop.raw_scores(sharp.network, recipe, images)
    expected = losses.probabilities(raw / 0.031, loss).numpy()
    assert np.array_equal(models.predict(sharp, images), expected)
    assert not np.allclose(expected, losses.probabilities(raw, loss).numpy(), atol=1e-3)


def test_without_temperature_and_views_not_a_bit_is_touched(model, images):
    plain = models.load(model, 0)
    found = models.predict(plain, images)
    expected = scored.probabilities(plain.network, plain.recipe, images)
    assert found.dtype == np.float32 and found.tobytes() == expected.tobytes()


def seen(model, views, **augmentation):
    """Return the model's first member with so many test views; it scores images that differ apart."""
    member = models.load(model, 0)
    member.network.head[1].weight.data.mul_(1000)
    settings = dataclasses.replace(member.recipe.augmentation, **augmentation)
    recipe = dataclasses.replace(member.recipe, test_views=views, augmentation=settings)
    return dataclasses.replace(member, recipe=recipe)


@pytest.mark.parametrize("flip", [False, True])
def test_views_are_the_image_and_the_same_changes_for_all(model, images, flip):
    three = seen(model, 3, flip=flip)
    shown = [images]
    for number in (1, 2):
        draw = [seeding.stream(0, "view of a test image", number) for _ in images]
        changed = [augment(x, three.recipe.augmentation, rng=y) for x, y in zip(images, draw, strict=True)]  # fmt: skip
        shown.append(np.stack(changed))
    each = [models.predict_once(three, view).astype(np.float64) for view in shown]
    found = models.predict(three, images)
    assert found.dtype == np.float32
    assert np.array_equal(found, (sum(each) / 3).astype(np.float32))
    assert np.abs(each[0] - each[1]).max() > 0.01 and np.abs(each[1] - each[2]).max() > 0.01


def test_with_views_no_order_matters_and_half_of_them_may_be_mirrored(model, images):
    member = seen(model, 4)
    assert np.allclose(models.predict(member, images)[::-1], models.predict(member, images[::-1]), atol=1e-6)  # fmt: skip
    still = {"rotate_deg": 0.0, "translate": 0.0, "scale": 0.0, "brightness": 0.0, "contrast": 0.0}
    unmoved, mirrored = (seen(model, 8, flip=flip, **still) for flip in (False, True))
    once = models.predict_once(unmoved, images)
    assert np.array_equal(models.predict(unmoved, images), once)
    turned = models.predict_once(mirrored, np.ascontiguousarray(images[..., ::-1]))
    assert np.abs(turned - once).max() > 0.01
    draws = [seeding.stream(0, "view of a test image", number) for number in range(1, 8)]
    mirrors = sum(
        rng.random(7)[6] < 0.5 for rng in draws
    )  # as `augment`: six draws of other changes
    expected = once + (turned - once) * mirrors / 8
    assert 0 < mirrors < 7 and np.allclose(models.predict(mirrored, images), expected, atol=1e-6)
