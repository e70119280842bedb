"""search: both methods on equal terms, the same bytes for any number of workers and after any kill."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from cxr import artifacts, backbones, prepared, scratch, workers
from cxr.search import fitness
from stages import search
from tests.search.settings import PARTS, RECIPE, SPACE, TRAINING, make_project

ROOT = Path(__file__).resolve().parents[2]


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stages.search", "toy"],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(
        p for top in ("data/searched", "reports/search") for p in (folder / top).rglob("*") if p.is_file()
    )  # fmt: skip
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project to search in, in this process and with one worker."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CXR_WORKERS", "1")
    make_project(tmp_path)
    return tmp_path


def test_one_and_two_workers_leave_the_same_bytes(project):
    """One worker is this process itself, two are processes of the command line."""
    said = search.main("toy")
    make_project(project / "two")
    done = run(project / "two", CXR_WORKERS="2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"search@toy: {said} (")
    assert said.startswith("best AUROC on search_val of 6 networks a method: evolved")
    one, two = contents(project), contents(project / "two")
    assert one == two
    assert not (project / "two/data/.scratch/search").exists()
    assert [Path(name).name for name in one] == [
        "architectures.json", "fold-0-evolved.safetensors", "fold-0-random.safetensors",
        "fold-1-evolved.safetensors", "fold-1-random.safetensors", "metrics.json",
        "candidates.csv", "front.png", "progress.png",
    ]  # fmt: skip


def test_what_is_written_fits_together(project):
    assert "6 networks a method" in search.main("toy")
    report = project / "reports/search/toy"
    metrics = artifacts.read_json(report / "metrics.json")
    table = artifacts.read_csv(report / "plots/candidates.csv")
    assert (metrics["networks"], metrics["samples"]) == (6, 6 * 16)
    assert (table.groupby(["fold", "method"]).size() == 6).all() and len(table) == 24
    assert table["macs"].max() <= RECIPE["max_macs"]
    folder = project / "data/searched/toy"
    folds = artifacts.read_json(folder / "architectures.json")["folds"]
    assert len(folds) == len(metrics["folds"]) == 2
    for fold, picks in enumerate(folds):
        for method, architecture in picks.items():
            rows = table[(table["fold"] == fold) & (table["method"] == method)]
            picked = rows[rows["picked"] == 1]
            assert list(picked["architecture"]) == [artifacts.canonical_json(architecture)]
            assert picked["auroc"].item() == rows["auroc"].max()
            assert metrics["folds"][fold][method]["auroc"] == rows["auroc"].max()
            network = backbones.create("searched", options=architecture, seed=0, stream=("x",))
            tensors = artifacts.read_tensors(folder / f"fold-{fold}-{method}.safetensors")
            network.load_state_dict(tensors)


def test_killed_and_started_again_equals_uninterrupted(project, monkeypatch):
    """Stopped in the middle of evaluation, then with half of the records and picks lost."""
    search.main("toy")
    whole = contents(project)
    work, evaluated = fitness.evaluate, []

    def stopped(task):
        if len(evaluated) == 7:
            raise KeyboardInterrupt
        evaluated.append(task)
        return work(task)

    monkeypatch.setattr(fitness, "evaluate", stopped)
    with pytest.raises(KeyboardInterrupt):
        search.main("toy")
    monkeypatch.setattr(fitness, "evaluate", lambda task: evaluated.append(task) or work(task))
    monkeypatch.setattr(scratch, "finish", lambda folder: None)
    search.main("toy")
    assert contents(project) == whole
    records = sorted(project.glob("data/.scratch/search/*/*.json"))
    assert len(evaluated) == len(records)
    kept = sorted(project.glob("data/.scratch/search/*/*.safetensors"))
    for path in [*records[::2], *kept[::2]]:
        path.unlink()
    search.main("toy")
    assert contents(project) == whole
    assert len(evaluated) == len(records) + len(records[::2])


def test_pixels_and_labels_of_val_and_test_do_not_enter(project):
    splits = artifacts.read_csv(project / "data/splits.csv")
    splits["fold_1"] = splits["fold_0"]
    artifacts.write_csv(project / "data/splits.csv", splits)
    search.main("toy")
    before = contents(project)
    images = prepared.read(project / "data/prepared")
    pixels = images.gather(np.arange(len(PARTS)))
    unseen = ~np.isin(PARTS, ["train", "search_val"])
    pixels[unseen] = 0
    index = images.index.copy()
    index.loc[unseen, "label:a"] = 1 - index.loc[unseen, "label:a"]
    index.loc[unseen, "label:b"] = 1 - index.loc[unseen, "label:b"]
    prepared.write(project / "data/prepared", pixels.__getitem__, index)
    search.main("toy")
    assert contents(project) == before


def test_splits_in_another_order_give_the_same_tasks(project):
    settings = search.Params(**{**RECIPE, "training": _recipe(TRAINING)})
    index = prepared.read(project / "data/prepared").index
    splits = artifacts.read_csv(project / "data/splits.csv")
    made = [
        search.tasks(settings, index, table, prepared_folder=project, seed=7)
        for table in (splits, splits.iloc[::-1])
    ]
    for one, other in zip(*made, strict=True):
        assert one.train_rows.tolist() == other.train_rows.tolist()
        assert one.search_rows.tolist() == other.search_rows.tolist()
    assert made[0][0].train_rows.tolist() == list(range(16))
    assert made[0][1].search_rows.tolist() == list(range(4, 12))


def _recipe(tree):
    from cxr import params
    from cxr.training.recipe import Recipe

    return params.build(Recipe, tree, where="recipe")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_macs": 100}, "the smallest is {"),
        ({"image_px": 4}, "images of 4 px are too small: the deepest network of the space needs 8 px"),
        ({"image_px": 64}, "search.recipes.toy.image_px is 64, the prepared images have 32 px"),
        ({"space": {**SPACE, "widths": []}}, "params.yaml: search.recipes.toy.space: widths is empty"),
        ({"space": {**SPACE, "name": "cells"}}, "unknown search/spaces 'cells': known are staged"),
        ({"population": 1}, "population must be at least 2, not 1"),
        ({"population": 400, "generations": 40}, "networks, but only "),
        ({"training": {**TRAINING, "backbone": "resnet10t"}}, "training.backbone must be 'searched'"),
        (
            {"training": {**TRAINING, "early_stopping": {"monitor": "auroc", "patience": 1}}},
            "training.early_stopping.monitor must be 'last' in a search, not 'auroc'",
        ),
        ({"training": {**TRAINING, "trainable": ["head"]}}, "training.trainable must be ['all']"),
    ],
)  # fmt: skip
def test_a_fault_is_told_and_leaves_nothing(project, monkeypatch, change, message):
    make_project(project, **change)
    monkeypatch.setattr(workers, "run", lambda *_, **__: pytest.fail("something was trained"))
    with pytest.raises(ValueError) as error:
        search.main("toy")
    assert message in str(error.value)
    assert contents(project) == {} and not (project / "data/.scratch").exists()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["train"] * 20 + ["val"] * 4, "search_val of fold 0 has 0 images and no label"),
        (["train"] * 16 + ["search_val"] + ["val"] * 7, "search_val of fold 0 has 1 images"),
        (["val"] * 16 + ["search_val"] * 8, "train of fold 0 is empty: give split.fractions.train"),
    ],
)
def test_parts_that_can_not_rank_networks_are_told_with_their_cure(project, parts, message):
    make_project(project, parts=parts)
    with pytest.raises(ValueError) as error:
        search.main("toy")
    assert message in str(error.value) and "split.fractions" in str(error.value)


def test_on_the_command_line_a_fault_is_one_line(tmp_path):
    make_project(tmp_path)
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump({"seed": 7, "search": {"recipes": {}}}, file)
    failed = run(tmp_path)
    assert failed.returncode == 1 and "Traceback" not in failed.stderr
    assert "search.recipes.toy is missing ('toy' not among" in failed.stderr
