"""Chance: the committed models beat it clearly, and where there is nothing to learn they do not.

With labels permuted among patients AUROC must stay near one half.

A pipeline that leaks (patients across splits, test images choosing the epoch, labels in file names
or in the order of files) scores above chance here.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from cxr import artifacts

ROOT = Path(__file__).resolve().parents[1]
STAGES = (
    "phantom",
    "ingest phantom",
    "merge",
    "validate",
    "split",
    "preprocess",
    "transfer probe",
    "evaluate probe",
)


def run_pipeline(folder: Path, *, shuffle: bool) -> dict:
    """Run the stages to evaluate on a phantom in five folds; return the pooled test metrics."""
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    params["phantom"].update(patients=200, shuffle_labels=shuffle)
    params["split"]["folds"] = 5
    params["preprocess"]["steps"] = [{**params["preprocess"]["steps"][0], "size_px": 64}]
    recipe = {
        **params["transfer"]["recipes"][params["transfer"]["runs"][0]],
        "backbone": "resnet10t",
    }
    params["transfer"] = {"runs": ["probe"], "recipes": {"probe": {**recipe, "epochs": 8}}}
    params["validate"]["accepted"] = {}
    with (folder / "params.yaml").open("w") as file:
        YAML().dump(params, file)
    for stage in STAGES:
        module, *item = stage.split()
        subprocess.run(
            [sys.executable, "-m", f"stages.{module}", *item],
            cwd=folder, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    return artifacts.read_json(folder / "reports/evaluate/probe/metrics.json")


@pytest.mark.slow
def test_shuffled_labels_leave_chance_and_true_labels_do_not(tmp_path):
    shuffled, true = tmp_path / "shuffled", tmp_path / "true"
    for folder in (shuffled, true):
        folder.mkdir()
    assert run_pipeline(shuffled, shuffle=True)["auroc"]["value"] == pytest.approx(0.5, abs=0.1)
    assert run_pipeline(true, shuffle=False)["auroc"]["low"] > 0.65


def test_every_model_of_the_committed_study_beats_chance_clearly():
    """`make repro` in a clean clone makes these files again, byte for byte."""
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    assert params["study"] == "phantom" and len(params["transfer"]["runs"]) >= 2
    for model in params["transfer"]["runs"]:
        found = artifacts.read_json(ROOT / f"reports/evaluate/{model}/metrics.json")
        assert found["auroc"]["low"] > 0.8
        assert found["accuracy"]["low"] > found["chance"]["accuracy"] + 0.15
