"""Models on disk: rebuilt bit for bit in another process, refused when they do not fit."""

import subprocess
import sys

import numpy as np
import pytest

from cxr import artifacts, numerics, seeding
from cxr.training import loop, models
from cxr.training.network import build
from tests.training.recipes import tiny

numerics.exact_torch()


@pytest.fixture
def model(tmp_path):
    recipe = tiny()
    members = []
    for fold in range(2):
        tensors = build(recipe, labels=3, seed=1, fold=fold).state_dict()
        members.append(loop.Fitted(dict(tensors), best_epoch=fold, history=[]))
    models.save(tmp_path / "model", recipe, members, labels=["a", "b", "c"], size_px=32, seed=1)
    return tmp_path / "model"


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


def test_missing_damaged_and_foreign_models_are_refused(model, tmp_path):
    with pytest.raises(ValueError, match=r"config\.json is missing: run `dvc repro`"):
        models.load(tmp_path / "nothing", 0)
    weights = model / "fold-0.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"fold-0\.safetensors is damaged"):
        models.load(model, 0)
    artifacts.write_tensors(
        weights, {"x": build(tiny(), labels=3, seed=1, fold=0).head[1].bias}, {}
    )
    with pytest.raises(ValueError, match=r"fold-0\.safetensors does not fit recipe\.json"):
        models.load(model, 0)
    recipe = artifacts.read_json(model / "recipe.json")
    artifacts.write_json(model / "recipe.json", {**recipe, "surprise": 1})
    with pytest.raises(ValueError, match=r"recipe\.json\.surprise is unknown"):
        models.load(model, 1)
