"""distill: the student starts and is fed as it was in transfer; its teacher is another run's model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cxr import artifacts
from cxr.backbones.weights import file_sha256
from cxr.training import models
from tests.architectures.cases import cells
from tests.pruning import parents
from tests.stages.test_transfer import ROOT, make_project
from tests.training.recipes import TINY, tiny

RECIPE = {**TINY, "epochs": 1}
LESSON = {"weight": 0.8, "temperature": 2.0}


def stage(folder: Path, name: str, run: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"stages.{name}", run],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def project(folder: Path, *, student: dict[str, Any], lesson: dict[str, Any] = LESSON) -> None:
    """Lay out a project with a trained student and teacher."""
    make_project(folder)
    recipes = {
        "small": student,
        "big": {**RECIPE, "mean": 0.5, "head": {**TINY["head"], "dropout": 0.3}},
    }
    distill = {"teacher": "big", "runs": ["small"], "recipes": {"small": lesson}}
    with (folder / "params.yaml").open("w") as file:
        YAML().dump({"seed": 7, "transfer": {"recipes": recipes}, "distill": distill}, file)
    for run in recipes:
        done = stage(folder, "transfer", run)
        assert done.returncode == 0, done.stderr


def model(folder: Path, name: str) -> dict[str, bytes]:
    home = folder / "data/models" / name
    return {path.name: path.read_bytes() for path in sorted(home.iterdir())}


def test_what_a_student_gains_is_its_teachers(tmp_path):
    project(tmp_path, student=RECIPE)
    done = stage(tmp_path, "distill", "small")
    assert done.returncode == 0, done.stderr
    assert "distill@small: 2 fold(s), at most 1 epochs, big teaches with weight 0.8" in done.stderr
    assert "distill@small: 2 network(s) of" in done.stdout
    alone, taught = model(tmp_path, "small"), model(tmp_path, "small-taught")
    differing = {name for name in alone if alone[name] != taught[name]}
    assert differing == {"config.json", "fold-0.safetensors", "fold-1.safetensors"}
    assert models.shared_recipe(tmp_path / "data/models/small-taught") == models.shared_recipe(
        tmp_path / "data/models/small"
    )
    history = [
        artifacts.read_csv(tmp_path / f"reports/{where}/small/plots/history.csv")
        for where in ("transfer", "distill")
    ]
    assert history[0]["learning_rate"].equals(history[1]["learning_rate"])
    assert not history[0]["train_loss"].equals(history[1]["train_loss"])


def test_a_teacher_who_says_nothing_leaves_the_bytes_of_transfer(tmp_path):
    project(tmp_path, student=RECIPE, lesson={"weight": 0.0, "temperature": 2.0})
    assert stage(tmp_path, "distill", "small").returncode == 0
    assert model(tmp_path, "small") == model(tmp_path, "small-taught")


def test_a_teacher_of_another_kind_is_refused_and_nothing_is_left(tmp_path):
    project(tmp_path, student={**RECIPE, "loss": "bce"})
    failed = stage(tmp_path, "distill", "small")
    assert failed.returncode == 1 and "Traceback" not in failed.stderr
    words = "data/models/small was trained with bce, data/models/big with cross_entropy: one loss"
    assert words in failed.stderr
    assert not (tmp_path / "data/models/small-taught").exists()


def test_a_teacher_of_other_labels_is_refused(tmp_path):
    project(tmp_path, student=RECIPE)
    config = tmp_path / "data/models/big/config.json"
    artifacts.write_json(config, {**artifacts.read_json(config), "labels": ["a", "c"]})
    failed = stage(tmp_path, "distill", "small")
    assert (
        "data/models/big has labels ['a', 'c'], data/models/small has ['a', 'b']" in failed.stderr
    )


def test_a_student_that_started_from_kept_weights_starts_from_them_again(tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_WORKERS", "1")
    make_project(tmp_path)
    kept = parents.save(tmp_path / "data/models/big", tiny(), folds=2) / "fold-1.safetensors"
    weights = {"file": str(kept), "sha256": file_sha256(kept)}
    distill = {"teacher": "big", "recipes": {"small": {**LESSON, "weight": 0.0}}}
    transfer = {"recipes": {"small": {**RECIPE, "weights": weights}}}
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump({"seed": 7, "transfer": transfer, "distill": distill}, file)
    for name in ("transfer", "distill"):
        done = stage(tmp_path, name, "small")
        assert done.returncode == 0, done.stderr
    assert model(tmp_path, "small") == model(tmp_path, "small-taught")


def test_a_student_that_started_from_the_weights_of_a_search_is_refused(tmp_path):
    """Without the preflight, as under a plain `dvc repro`: it would start from scratch unnoticed."""
    make_project(tmp_path)
    found = {"backbone": "searched", "backbone_options": {"search": "s", "pick": "evolved"}}
    recipe = tiny(**found, weights="searched")
    parents.save(tmp_path / "data/models/small", recipe, folds=2, options=[cells()] * 2)
    parents.save(tmp_path / "data/models/big", tiny(), folds=2)
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump({"seed": 7, "distill": {"teacher": "big", "recipes": {"small": LESSON}}}, file)
    failed = stage(tmp_path, "distill", "small")
    assert failed.returncode == 1 and "Traceback" not in failed.stderr
    words = "data/models/small started from the weights that its search left, and distill would"
    cure = "write `weights: null` into transfer.recipes.small, or take that run out of distill.runs"
    assert words in failed.stderr and cure in failed.stderr
    assert not (tmp_path / "data/models/small-taught").exists()


@pytest.mark.parametrize("change", [{"weight": 1.5}, {"temperature": 0.0}])
def test_a_lesson_that_makes_no_sense_is_refused(tmp_path, change):
    make_project(tmp_path)
    distill = {"teacher": "big", "recipes": {"small": {**LESSON, **change}}}
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump({"seed": 7, "distill": distill}, file)
    failed = stage(tmp_path, "distill", "small")
    assert failed.returncode == 1 and "distill.recipes.small" in failed.stderr
