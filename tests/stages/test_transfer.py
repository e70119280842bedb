"""transfer: one network per fold, val and train only, the same bytes for any number of workers."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML

from cxr import artifacts, backbones, prepared, seeding
from cxr.metrics import cost
from cxr.training import calibrating, folds, loop, models
from flows import keep, study
from stages import transfer
from tests.training.recipes import TINY, tiny

ROOT = Path(__file__).resolve().parents[2]
PARTS = ["train"] * 16 + ["val"] * 6 + ["search_val"] * 2 + ["test"] * 6


def make_project(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lay out prepared images, splits and params as the earlier stages would."""
    rng = seeding.stream(1, "project")
    names = [f"toy/{i:03d}.png" for i in range(len(PARTS))]
    index = pd.DataFrame(
        {
            "image": names,
            "patient": names,
            "source": "toy",
            "view": "",
            "age_years": np.nan,
            "sex": "",
        }
    )
    index["label:a"] = np.arange(len(PARTS)) % 2
    index["label:b"] = 1 - index["label:a"]
    images = rng.integers(0, 256, size=(len(PARTS), 32, 32), dtype=np.uint8)
    prepared.write(folder / "data/prepared", images.__getitem__, index)
    splits = pd.DataFrame({"image": names, "group": names, "fold_0": PARTS, "fold_1": PARTS[::-1]})
    artifacts.write_csv(folder / "data/splits.csv", splits)
    recipe = {**TINY, "epochs": 1}
    with (folder / "params.yaml").open("w") as file:
        YAML().dump({"seed": 7, "transfer": {"runs": ["toy"], "recipes": {"toy": recipe}}}, file)
    return index, splits


def run(folder: Path, name: str = "toy", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stages.transfer", name],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(
        p
        for top in ("data/models", "reports/transfer")
        for p in (folder / top).rglob("*")
        if p.is_file()
    )
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_one_and_two_workers_leave_the_same_bytes(tmp_path):
    for workers in ("1", "2"):
        make_project(tmp_path / workers)
        done = run(tmp_path / workers, CXR_WORKERS=workers)
        assert done.returncode == 0, done.stderr
        assert "2 network(s)" in done.stdout
    one, two = (contents(tmp_path / workers) for workers in ("1", "2"))
    assert one == two
    assert sorted(Path(name).name for name in one) == [
        "config.json", "fold-0.json", "fold-0.safetensors", "fold-1.json", "fold-1.safetensors",
        "history.csv", "history.png", "metrics.json", "recipe.json",
    ]  # fmt: skip


def test_a_fold_that_was_trained_before_a_kill_is_not_trained_again(tmp_path, monkeypatch):
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CXR_WORKERS", "1")
    whole, trained = folds.fit, []

    def fit(task: folds.Task) -> models.Saved:
        trained.append(task.fold)
        if trained == [0, 1]:
            raise KeyboardInterrupt
        return whole(task)

    monkeypatch.setattr(folds, "fit", fit)
    with pytest.raises(KeyboardInterrupt):
        transfer.main("toy")
    assert not (tmp_path / "data/models").exists()
    transfer.main("toy")
    assert trained == [0, 1, 1] and not (tmp_path / "data/.scratch/transfer").exists()
    interrupted = contents(tmp_path)
    transfer.main("toy")
    assert trained == [0, 1, 1, 0, 1] and contents(tmp_path) == interrupted


def searched_project(folder: Path, *, weights: str | None, folds: int = 2) -> list[dict[str, Any]]:
    """Lay out a project whose search found another network for each fold; return them."""
    make_project(folder)
    usual = {
        "family": "cells", "resolution": 100, "stem": 8, "stem_stride": 2, "activation": "relu", "norm": "batch",
        "down": "stride", "pool": "gap", "hidden": [],
    }  # fmt: skip
    block = {"block": "plain", "depth": 1, "kernel": 3, "se": False}
    found = [{**usual, "stages": [{**block, "width": 8 * (fold + 1)}]} for fold in range(folds)]
    home = folder / "data/searched/small"
    both = [{"evolved": network, "random": found[0]} for network in found]
    artifacts.write_json(home / "architectures.json", {"folds": both, "size_px": 32})
    for fold, network in enumerate(found):
        tensors = backbones.create(
            "searched", options=network, seed=99, stream=(fold,)
        ).state_dict()
        artifacts.write_tensors(home / f"fold-{fold}-evolved.safetensors", tensors, {})
    options = {"search": "small", "pick": "evolved"}
    recipe = {
        **TINY,
        "epochs": 1,
        "backbone": "searched",
        "backbone_options": options,
        "weights": weights,
    }
    with (folder / "params.yaml").open("w") as file:
        YAML().dump({"seed": 7, "transfer": {"recipes": {"toy": recipe}}}, file)
    return found


def test_each_fold_trains_the_network_that_the_search_found_for_it(tmp_path):
    found = searched_project(tmp_path, weights=None)
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    model = tmp_path / "data/models/toy"
    for fold, network in enumerate(found):
        loaded = models.load(model, fold)
        assert loaded.recipe.backbone_options == network
        assert loaded.network.backbone.num_features == 8 * (fold + 1)
    about = models.config(model)
    assert about["parameters"] == cost.parameters(models.load(model, 1).network)


def test_the_weights_that_the_search_left_are_where_training_starts(tmp_path):
    (network, _), folder = (
        searched_project(tmp_path, weights="searched"),
        tmp_path / "data/searched",
    )
    recipe = tiny(
        backbone="searched", weights="searched", backbone_options={"search": "small", "pick": "evolved"},
        optimizer={**TINY["optimizer"], "learning_rate": 0.0},
    )  # fmt: skip
    index = prepared.read(tmp_path / "data/prepared").index
    splits = artifacts.read_csv(tmp_path / "data/splits.csv")
    work = folds.tasks(recipe, index, splits, prepared_folder=tmp_path / "data/prepared", seed=7)
    first = transfer.with_searched(work, root=folder)[0]
    kept = folds.fit(first).fitted.tensors  # at rate 0 they stay as they were
    left = artifacts.read_tensors(folder / "small/fold-0-evolved.safetensors")
    weights = [name for name in left if name.endswith("0.weight")]
    assert weights and all(torch.equal(kept[f"backbone.{name}"], left[name]) for name in weights)
    assert first.recipe.backbone_options == network


SECOND = ["train"] * 20 + ["val"] * 6 + ["test"] * 6


def second_study(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lay out another data set, of three labels that brightness tells apart; return index and splits."""
    names = [f"other/{i:03d}.png" for i in range(len(SECOND))]
    index = pd.DataFrame({"image": names, "patient": names, "source": "other", "view": "", "age_years": np.nan, "sex": ""})  # fmt: skip
    label = np.arange(len(SECOND)) % 3
    for place, name in enumerate(("x", "y", "z")):
        index[f"label:{name}"] = (label == place).astype(float)
    images = seeding.stream(2, "second").integers(0, 90, size=(len(SECOND), 32, 32))
    images = (images + 80 * label[:, None, None]).astype(np.uint8)
    prepared.write(folder / "data/prepared", images.__getitem__, index)
    splits = pd.DataFrame({"image": names, "group": names, "fold_0": SECOND})
    artifacts.write_csv(folder / "data/splits.csv", splits)
    return index, splits


def test_a_network_found_and_trained_in_one_study_is_fine_tuned_in_another(tmp_path, monkeypatch):
    """Two steps: where the second study's training starts is the first study's found network, kept."""
    first, second = tmp_path / "first", tmp_path / "second"
    found = searched_project(first, weights=None)
    assert run(first, CXR_WORKERS="1").returncode == 0
    monkeypatch.chdir(first)
    kept = keep.read("toy", 1)
    target = first / keep.bring(kept, "kept")
    (printed,) = study.parse(keep.recipe(kept, target, "kept"))["transfer"]["recipes"].values()
    assert printed["backbone_options"] == found[1]

    index, splits = second_study(second)
    recipe = {**TINY, "epochs": 2, **printed}
    with (second / "params.yaml").open("w") as file:
        YAML().dump({"seed": 3, "transfer": {"recipes": {"toy": recipe}}}, file)
    done = run(second, CXR_WORKERS="1")
    assert done.returncode == 0, done.stderr
    assert "transfer@toy: searched from its weights, 1 fold(s) of 20 images" in done.stderr
    tuned = artifacts.read_tensors(second / "data/models/toy/fold-0.safetensors")
    (task,) = folds.tasks(
        tiny(**{**recipe, "weights": None}), index, splits, prepared_folder=second / "data/prepared", seed=3
    )  # fmt: skip
    scratch = folds.fit(task).fitted.tensors
    assert tuned.keys() == scratch.keys() and tuned["head.1.bias"].shape == (3,)
    weights = [name for name in tuned if name.endswith("0.weight") and "backbone" in name]
    assert weights and not [name for name in weights if torch.equal(tuned[name], scratch[name])]
    start = artifacts.read_tensors(target)
    moved, apart = (
        sum(float((end[name] - start[name]).abs().sum()) for name in weights)
        for end in (tuned, scratch)
    )
    assert 0 < moved < 0.2 * apart  # fine-tuned, and still near where it started


def test_a_network_that_is_written_out_has_no_weights_of_a_search(tmp_path):
    (network, _) = searched_project(tmp_path, weights="searched")
    written = tiny(backbone="searched", backbone_options=network)
    assert not transfer.names_search(written) and not transfer.names_search(tiny())
    options = {"search": "small", "pick": "evolved"}
    assert transfer.names_search(tiny(backbone="searched", backbone_options=options))
    recipe = {**TINY, "backbone": "searched", "backbone_options": network, "weights": "searched"}
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump({"seed": 7, "transfer": {"recipes": {"toy": recipe}}}, file)
    failed = run(tmp_path)
    assert failed.returncode == 1 and "Traceback" not in failed.stderr
    assert "weights: searched goes with backbone_options {search, pick}, not with" in failed.stderr
    assert contents(tmp_path) == {}


def test_a_search_of_other_folds_is_refused(tmp_path):
    searched_project(tmp_path, weights=None, folds=1)
    failed = run(tmp_path)
    assert failed.returncode == 1
    assert "data/searched/small holds 1 fold(s), data/splits.csv has 2" in failed.stderr


def test_temperatures_are_fitted_on_calibration_images_once_the_weights_are_chosen(tmp_path):
    for name, calibration in (("plain", "none"), ("calibrated", "temperature")):
        index, splits = make_project(tmp_path / name)
        splits = splits.replace({"search_val": "calibration", "test": "calibration"})
        artifacts.write_csv(tmp_path / name / "data/splits.csv", splits)
        recipe = {**TINY, "epochs": 1, "calibration": calibration}
        with (tmp_path / name / "params.yaml").open("w") as file:
            YAML().dump({"seed": 7, "transfer": {"recipes": {"toy": recipe}}}, file)
        done = run(tmp_path / name)
        assert done.returncode == 0, done.stderr
    plain, calibrated = (contents(tmp_path / name) for name in ("plain", "calibrated"))
    named = {Path(name).name for name in plain if plain[name] != calibrated[name]}
    assert named == {"config.json", "recipe.json", "fold-0.json", "fold-1.json", "metrics.json"}
    members = [models.load(tmp_path / "calibrated/data/models/toy", fold) for fold in range(2)]
    images, work = prepared.read(tmp_path / "calibrated/data/prepared"), folds.tasks(
        tiny(calibration="temperature"), index, splits, prepared_folder=tmp_path, seed=7
    )  # fmt: skip
    for member, task, rows in zip(members, work, (range(22, 30), range(8)), strict=True):
        assert task.calibration_rows.tolist() == list(rows)
        raw = loop.raw_scores(member.network, member.recipe, images.gather(task.calibration_rows))
        labels = task.labels_NL[task.calibration_rows]
        assert member.temperature == calibrating.fit(raw.numpy(), labels, "cross_entropy") != 1.0
    told = artifacts.read_json(tmp_path / "calibrated/reports/transfer/toy/metrics.json")
    mean = sum(member.temperature for member in members) / 2
    silent = artifacts.read_json(tmp_path / "plain/reports/transfer/toy/metrics.json")
    assert told == {**silent, "temperature": mean}


def test_pixels_of_test_images_do_not_enter_the_model(tmp_path):
    index, splits = make_project(tmp_path)
    splits["fold_1"] = splits["fold_0"]
    artifacts.write_csv(tmp_path / "data/splits.csv", splits)
    assert run(tmp_path).returncode == 0
    before = contents(tmp_path)
    images = np.load(tmp_path / "data/prepared/images-0000.npy")
    images[24:] = 0
    prepared.write(tmp_path / "data/prepared", images.__getitem__, index)
    assert run(tmp_path).returncode == 0
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": "mobilenet_v99"}, "unknown backbone 'mobilenet_v99'"),
        (
            {"weights": {"file": "nowhere.safetensors", "sha256": "0"}},
            "nowhere.safetensors is missing: run `make data",
        ),
        ({"calibration": "temperature"}, "calibration of fold 0 has 0 image(s) and no known label"),
        ({"epochs": "many"}, "transfer.recipes.toy.epochs must be int, not 'many'"),
    ],
)
def test_a_fault_is_one_clear_line_and_leaves_nothing(tmp_path, change, message):
    make_project(tmp_path)
    recipe = {**TINY, **change}
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump({"seed": 7, "transfer": {"recipes": {"toy": recipe}}}, file)
    failed = run(tmp_path)
    assert failed.returncode == 1
    assert message in failed.stderr and "Traceback" not in failed.stderr
    assert contents(tmp_path) == {}
