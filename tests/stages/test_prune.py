"""prune: the same bytes for any number of workers and after an interruption; clear words on faults."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from cxr import artifacts, prepared, scratch
from cxr.pruning import fitness, parent, tuning
from cxr.training import calibrating, loop, models
from stages import prune
from tests.architectures.cases import cells, stage
from tests.pruning.parents import make, mislabel, save, small
from tests.training.recipes import TINY

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "criterion": "l1_norm",
    "macs": 0.5,
    "population": 4,
    "generations": 2,
    "recalibration_images": 8,
    "epochs": 1,
    "optimizer": TINY["optimizer"],
    "distillation": {"weight": 0.5, "temperature": 2.0},
}


def make_project(folder: Path, *, folds: int = 1, **changes) -> Path:
    make(folder, folds=folds)
    with (folder / "params.yaml").open("w") as file:
        tree = {"seed": 7, "prune": {"runs": ["toy"], "recipes": {"toy": {**SETTINGS, **changes}}}}
        YAML().dump(tree, file)
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(make_project(tmp_path))
    monkeypatch.setenv("CXR_WORKERS", "1")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(
        path
        for top in ("data/models/toy-pruned", "data/models/toy-uniform", "reports/prune")
        for path in (folder / top).rglob("*")
        if path.is_file()
    )
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_two_workers_and_one_that_was_interrupted_leave_the_same_bytes(tmp_path, monkeypatch):
    for name in ("two", "one"):
        make_project(tmp_path / name, folds=2)
    done = subprocess.run(
        [sys.executable, "-m", "stages.prune", "toy"],
        cwd=tmp_path / "two", capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CXR_WORKERS": "2"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "of the MACs kept, val AUROC" in done.stdout
    expected = contents(tmp_path / "two")
    assert not (tmp_path / "two/data/.scratch/prune").exists()
    model = ["config.json", "fold-0.json", "fold-0.safetensors", "fold-1.json", "fold-1.safetensors", "recipe.json"]  # fmt: skip
    plots = [f"{x}.{kind}" for x in ("candidates", "channels", "front", "history") for kind in ("csv", "png")]  # fmt: skip
    plots.remove("front.csv")
    plots.remove("candidates.png")
    assert sorted(Path(name).name for name in expected) == sorted([*model, *model, "metrics.json", *plots])  # fmt: skip

    monkeypatch.chdir(tmp_path / "one")
    monkeypatch.setenv("CXR_WORKERS", "1")
    worked = {"evaluate": 0, "tune": 0}
    _count(monkeypatch, worked)
    with monkeypatch.context() as kept:
        kept.setattr(scratch, "finish", lambda _: None)
        prune.main("toy")
    assert contents(tmp_path / "one") == expected
    assert worked == {"evaluate": 18, "tune": 4}  # 2 folds x (2 x 4 candidates + the parent)
    (folder,) = (tmp_path / "one/data/.scratch/prune").iterdir()
    lost = [*sorted((folder / "candidates").iterdir())[::2], folder / "fold-1-pruned.safetensors"]
    for path in lost:
        path.unlink()
    worked.update(evaluate=0, tune=0)
    prune.main("toy")
    assert worked == {"evaluate": 9, "tune": 1}
    assert contents(tmp_path / "one") == expected
    assert not folder.exists()


def _count(monkeypatch, worked: dict[str, int]) -> None:
    def counted(key, function):
        def count(task):
            worked[key] += 1
            return function(task)

        return count

    monkeypatch.setattr(fitness, "evaluate", counted("evaluate", fitness.evaluate))
    monkeypatch.setattr(tuning, "_fine_tune", counted("tune", tuning._fine_tune))


def test_the_models_it_leaves_are_smaller_and_of_the_channels_it_tells(project):
    assert prune.main("toy").endswith("of a uniform cut)")
    parent = models.config(project / "data/models/toy")
    channels = artifacts.read_csv(project / "reports/prune/toy/plots/channels.csv").set_index(
        "group"
    )
    metrics = artifacts.read_json(project / "reports/prune/toy/metrics.json")
    for cut in ("pruned", "uniform"):
        config = models.config(project / f"data/models/toy-{cut}")
        assert config["macs"] <= parent["macs"] / 2 and config["labels"] == parent["labels"]
        assert config["macs"] == metrics["folds"][0][cut]["macs"]
        assert config["parameters"] == metrics["folds"][0][cut]["parameters"]
        member = models.load(project / f"data/models/toy-{cut}", 0)
        assert member.recipe.epochs == SETTINGS["epochs"]
        for name, count in channels[cut].items():
            assert len(member.network.get_submodule(name).weight) == count
    assert metrics["macs_share"] <= 0.5
    candidates = artifacts.read_csv(project / "reports/prune/toy/plots/candidates.csv")
    least = min(0.9 * (parent["macs"] // 2), candidates["macs"].max())
    wanted = candidates[candidates["macs"] >= least]
    picked = candidates[candidates["picked"] == 1].iloc[0]
    assert picked["auroc"] == wanted["auroc"].max() == metrics["fitness_auroc_pruned"]
    assert candidates["origin"].tolist()[:2] == ["uniform", "global"]


def test_searched_parents_keep_their_own_architecture_in_each_fold(tmp_path, monkeypatch):
    monkeypatch.chdir(make_project(tmp_path, folds=2, population=2, generations=1))
    monkeypatch.setenv("CXR_WORKERS", "1")
    options = [cells(stage("residual", width=width, depth=1)) for width in (24, 40)]
    found = {"search": "toy", "pick": "evolved"}
    recipe = small(backbone="searched", backbone_options=found, weights="searched")
    save(tmp_path / "data/models/toy", recipe, folds=2, options=options)
    prune.main("toy")
    model = tmp_path / "data/models/toy-pruned"
    assert artifacts.read_json(model / "recipe.json")["backbone_options"] == found
    assert [models.load(model, fold).recipe.backbone_options for fold in range(2)] == options
    table = artifacts.read_csv(tmp_path / "reports/prune/toy/plots/channels.csv")
    assert table.groupby("fold")["parent"].max().tolist() == [24, 40]


def test_both_cuts_of_a_calibrated_parent_are_calibrated_anew(tmp_path, monkeypatch):
    monkeypatch.chdir(make_project(tmp_path, population=2, generations=1))
    monkeypatch.setenv("CXR_WORKERS", "1")
    save(Path("data/models/toy"), small(calibration="temperature"), folds=1)
    splits = artifacts.read_csv(Path("data/splits.csv"))
    splits["fold_0"] = splits["fold_0"].replace("test", "calibration")
    artifacts.write_csv(Path("data/splits.csv"), splits)
    mislabel(tmp_path, [30])
    prune.main("toy")
    images = prepared.read(Path("data/prepared"))
    part = parent.part(images, np.arange(28, 32))  # PARTS: the last four
    for cut in ("pruned", "uniform"):
        member = models.load(Path(f"data/models/toy-{cut}"), 0)
        raw = loop.raw_scores(member.network, member.recipe, part.images_NHW).numpy()
        assert member.recipe.calibration == "temperature"
        assert member.temperature == calibrating.fit(raw, part.labels_NL, "cross_entropy")
        assert calibrating.LOWEST < member.temperature < calibrating.HIGHEST


def test_pixels_of_test_images_do_not_enter(project):
    prune.main("toy")
    before = contents(project)
    images = prepared.read(project / "data/prepared")
    pixels = images.gather(np.arange(len(images.index)))
    pixels[28:] = 0  # PARTS: the last four are test
    prepared.write(project / "data/prepared", pixels.__getitem__, images.index)
    prune.main("toy")
    assert contents(project) == before
    pixels[22:28] = 0  # search_val
    prepared.write(project / "data/prepared", pixels.__getitem__, images.index)
    prune.main("toy")
    assert contents(project) != before


def _frozen(folder: Path) -> None:
    save(folder / "data/models/toy", small(trainable=["head"]), folds=1)


def _narrow(folder: Path) -> None:
    options = cells(stage(width=8, depth=1), stem=8)
    recipe = small(backbone="searched", backbone_options=options)
    save(folder / "data/models/toy", recipe, folds=1)


def _no_search_val(folder: Path) -> None:
    splits = artifacts.read_csv(folder / "data/splits.csv")
    splits["fold_0"] = splits["fold_0"].replace("search_val", "test")
    artifacts.write_csv(folder / "data/splits.csv", splits)


def _no_calibration(folder: Path) -> None:
    save(folder / "data/models/toy", small(calibration="temperature"), folds=1)


def _no_parent(folder: Path) -> None:
    (folder / "data/models/toy/config.json").unlink()


@pytest.mark.parametrize(
    ("change", "spoil", "message"),
    [
        ({}, _frozen, r"toy was trained with trainable \['head'\].* prune a run with trainable \[all\]"),
        ({}, _narrow, r"nothing to prune: of 2 groups of channels none has more than 8"),
        ({}, _no_search_val, r"search_val of fold 0 has 0 images.*split\.fractions\.search_val"),
        ({}, _no_calibration, r"calibration of fold 0 has 0 image.*split\.fractions\.calibration"),
        ({}, _no_parent, r"data/models/toy/config\.json is missing: run `dvc repro`"),
        ({"macs": 0.02}, None, r"macs 0\.02 can't be reached: .* ask for at least 0\.\d+"),
        ({"macs": 1.0}, None, r"macs must be above 0 and below 1, not 1\.0"),
        ({"population": 1}, None, r"population must be at least 2, not 1"),
        ({"criterion": "taylor"}, None, r"unknown pruning/criteria 'taylor': known are bn_scale, l1_norm"),
        ({"epochs": 0}, None, r"epochs must be at least 1, not 0"),
        ({"distillation": {"weight": 2.0, "temperature": 1.0}}, None, r"weight must be in \[0, 1\]"),
    ],
)  # fmt: skip
def test_a_fault_is_told_and_leaves_nothing(tmp_path, monkeypatch, change, spoil, message):
    monkeypatch.chdir(make_project(tmp_path, **change))
    if spoil is not None:
        spoil(tmp_path)
    with pytest.raises(ValueError, match=message):
        prune.main("toy")
    assert contents(tmp_path) == {}
