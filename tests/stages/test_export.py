"""export: one ONNX file per fold and what a user needs to know, the same bytes for any number of workers."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest

from cxr import artifacts, exporting, numerics, prepared, seeding
from cxr.exporting import running
from cxr.training import loop, models
from cxr.training.network import build
from stages import export
from tests.architectures.cases import cells, stage
from tests.training.recipes import tiny

numerics.exact_torch()
ROOT = Path(__file__).resolve().parents[2]
PARTS = ["train"] * 4 + ["val"] * 6 + ["search_val"] * 2 + ["test"] * 4
SMALL = {"backbone": "searched", "backbone_options": cells(stage(width=8, depth=1), stem=8)}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Prepared images, a split of two folds and a model of two networks, as earlier stages leave them."""
    folder = tmp_path_factory.mktemp("project")
    names = [f"toy/{i:03d}.png" for i in range(len(PARTS))]
    index = pd.DataFrame(
        {"image": names, "patient": names, "source": "toy", "view": "", "age_years": np.nan,
         "sex": "", "label:a": 1, "label:b": 0}
    )  # fmt: skip
    images = seeding.stream(1, "images").integers(0, 256, size=(len(names), 32, 32), dtype=np.uint8)
    prepared.write(folder / "data/prepared", images.__getitem__, index)
    splits = pd.DataFrame({"image": names, "group": names, "fold_0": PARTS, "fold_1": PARTS[::-1]})
    artifacts.write_csv(folder / "data/splits.csv", splits)
    recipe, members = tiny(**SMALL), []
    for fold in range(2):
        tensors = build(recipe, labels=2, seed=1, fold=fold).state_dict()
        fitted = loop.Fitted(dict(tensors), best_epoch=0, history=[])
        members.append(models.Saved(fitted, recipe.backbone_options, {}, 1.0))
    models.save(folder / "data/models/toy", recipe, members, labels=["a", "b"], size_px=32)
    write_params(folder, int8=[])
    return folder


def write_params(folder: Path, *, int8: list[str]) -> None:
    """Write what export reads of params.yaml (JSON is YAML)."""
    sections = {
        "seed": 1,
        "ingest": {"datasets": ["toy"]},
        "preprocess": {"steps": [{"name": "resize", "size_px": 32, "fit": "pad"}]},
        "split": {"protocol": "by_patient", "test": "in_turn"},
        "export": {"models": ["toy"], "int8": int8},
    }
    artifacts.write_json(folder / "params.yaml", sections)


@pytest.fixture
def project(made, tmp_path, monkeypatch) -> Path:
    """A copy of the project, current folder."""
    shutil.copytree(made, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("CXR_WORKERS", "1")
    return tmp_path / "copy"


def contents(folder: Path) -> dict[str, bytes]:
    tops = [folder / "data/exported", folder / "reports/export"]
    files = sorted(path for top in tops for path in top.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_each_fold_is_compared_on_its_own_val_images(project):
    index = prepared.read(Path("data/prepared")).index
    splits = artifacts.read_csv(Path("data/splits.csv")).iloc[::-1]
    given = {"origin": export.origin(), "seed": None}
    first, second = export.tasks(Path("m"), Path("p"), index, splits, folds=2, **given)
    assert (first.fold, first.rows.tolist()) == (0, list(range(4, 10)))
    assert (second.fold, second.rows.tolist()) == (1, list(range(6, 12)))
    assert first.calibration is None
    assert (first.trained.tolist(), second.trained.tolist()) == ([0, 1, 2, 3], [12, 13, 14, 15])
    with pytest.raises(ValueError, match=r"m has 3 fold\(s\), the split has 2: run `dvc repro`"):
        export.tasks(Path("m"), Path("p"), index, splits, folds=3, **given)


def test_int8_is_calibrated_on_a_keyed_draw_of_train_alone():
    train = np.arange(100, 400)
    drawn = export.calibration(train, seed=1, fold=0)
    assert len(set(drawn.tolist())) == 64 and set(drawn.tolist()) <= set(train.tolist())
    assert np.array_equal(drawn, np.sort(drawn))
    assert np.array_equal(drawn, export.calibration(train, seed=1, fold=0))
    assert not np.array_equal(drawn, export.calibration(train, seed=2, fold=0))
    assert not np.array_equal(drawn, export.calibration(train, seed=1, fold=1))
    assert export.calibration(train[:4], seed=1, fold=0).tolist() == [100, 101, 102, 103]


def test_int8_stands_beside_float32_with_what_it_costs(project):
    export.main("toy")
    plain, metrics = contents(project), artifacts.read_json(Path("reports/export/toy/metrics.json"))
    write_params(project, int8=["toy"])
    line = export.main("toy")
    found = contents(project)
    names = [f"data/exported/toy/fold-{fold}.int8.onnx" for fold in range(2)]
    assert set(found) == {*plain, *names} and "; int8 0." in line
    for fold in range(2):
        name = f"data/exported/toy/fold-{fold}.onnx"
        assert found[name] == plain[name]
    about = artifacts.read_json(Path("data/exported/toy/metadata.json"))
    assert list(about["int8"]) == [Path(name).name for name in names]
    hashes = [hashlib.sha256(found[name]).hexdigest() for name in names]
    assert [about["files"][Path(name).name] for name in names] == hashes
    after = artifacts.read_json(Path("reports/export/toy/metrics.json"))
    costs = after.pop("int8")
    assert after == metrics and costs["float32"]["onnx_bytes"] == metrics["onnx_bytes"]
    assert costs["int8"]["onnx_bytes"] == max(len(found[name]) for name in names)
    for key in ("val_auroc", "val_accuracy"):
        folds = [one["int8"][key] for one in about["int8"].values()]
        assert costs["int8"][key] == (None if None in folds else sum(folds) / 2)
    export.main("toy")
    assert contents(project) == found


def test_it_leaves_a_file_per_fold_with_what_it_means_for_any_number_of_workers(project):
    line = export.main("toy")
    found = contents(project)
    assert list(found) == [
        "data/exported/toy/fold-0.onnx", "data/exported/toy/fold-1.onnx",
        "data/exported/toy/metadata.json", "reports/export/toy/metrics.json",
    ]  # fmt: skip
    assert line.startswith("2 ONNX file(s) of at most 0.") and "differ by at most" in line
    check_words(found)
    images = prepared.read(Path("data/prepared")).gather(np.arange(3))
    for fold in range(2):
        member = models.load(Path("data/models/toy"), fold)
        exporting.compare(found[f"data/exported/toy/fold-{fold}.onnx"], member, images)
    subprocess.run(  # a process of its own: the workers of this one may have another folder
        [sys.executable, "-m", "stages.export", "toy"],
        cwd=project, check=True, env={**os.environ, "PYTHONPATH": str(ROOT), "CXR_WORKERS": "2"},
    )  # fmt: skip
    assert contents(project) == found


def test_it_says_where_the_figures_are_of_the_mean_of_all_files(project):
    export.main("toy")
    path = Path("data/exported/toy/metadata.json")
    assert "mean" not in artifacts.read_json(path)["output"]["values"]
    splits = artifacts.read_csv(export.SPLITS)
    artifacts.write_csv(export.SPLITS, splits.assign(fold_1=splits["fold_0"]))
    export.main("toy")
    words = artifacts.read_json(path)["output"]["values"]
    assert words.endswith("the model's reported figures are of the mean of all 2 files'")


def check_words(found: dict[str, bytes]) -> None:
    """Compare metrics.json and metadata.json with the model's config and the files."""
    sizes = [len(found[f"data/exported/toy/fold-{fold}.onnx"]) for fold in range(2)]
    metrics = artifacts.read_json(Path("reports/export/toy/metrics.json"))
    assert metrics == {
        "agrees": True, "files_with_maps": 2, "folds": 2, "onnx_bytes": max(sizes), "opset": 20,
        "val_refused": 0.0,
    }  # fmt: skip
    about = artifacts.read_json(Path("data/exported/toy/metadata.json"))
    assert (about["model"], about["labels"], about["loss"]) == ("toy", ["a", "b"], "cross_entropy")
    assert (about["size_px"], about["mean"], about["std"]) == (32, 0.449, 0.226)
    assert about["input"]["shape"] == ["batch", 1, 32, 32] and about["output"]["shape"][1] == 2
    hashes = {name: hashlib.sha256(found[f"data/exported/toy/{name}"]) for name in about["files"]}
    assert about["files"] == {name: sha.hexdigest() for name, sha in hashes.items()}
    assert about["preprocessing"] == [{"name": "resize", "size_px": 32, "fit": "pad"}]
    assert about["card"]["data_sets"] == ["toy"] and "no_maps" not in about and "int8" not in about
    for name in about["files"]:
        (said,) = onnx.load_from_string(found[f"data/exported/toy/{name}"]).metadata_props
        told = json.loads(said.value)
        for key in ("maps", "strangeness"):
            assert told[key] == about[key][name]
        assert told["preprocessing"] == about["preprocessing"]
        assert told["card"] == about["card"]  # both networks have one shape
    assert len(set(about["files"].values())) == 2


def test_temperatures_and_views_are_told_where_the_model_has_them_and_only_there(project):
    plain = artifacts.read_json(Path("data/models/toy/config.json"))
    assert not {"test_views", "temperatures"} & set(
        export.describe("toy", plain, export.origin(), [], together=False)
    )
    recipe, members = tiny(**SMALL, calibration="temperature", test_views=4), []
    for fold in range(2):
        tensors = artifacts.read_tensors(Path(f"data/models/toy/fold-{fold}.safetensors"))
        tensors["head.1.weight"] *= 1000
        fitted = loop.Fitted(tensors, best_epoch=0, history=[])
        members.append(models.Saved(fitted, recipe.backbone_options, {}, 2.5 + fold))
    models.save(Path("data/models/sure"), recipe, members, labels=["a", "b"], size_px=32)
    export.main("sure")
    about = artifacts.read_json(Path("data/exported/sure/metadata.json"))
    assert about["temperatures"] == {"fold-0.onnx": 2.5, "fold-1.onnx": 3.5}
    assert about["test_views"] == 4
    assert about["output"]["values"].endswith("of the mean over it and 3 augmented view(s)")
    images = prepared.read(Path("data/prepared")).gather(np.arange(3))
    for fold in range(2):
        content = Path(f"data/exported/sure/fold-{fold}.onnx").read_bytes()
        (said,) = onnx.load_from_string(content).metadata_props
        told = json.loads(said.value)
        assert (told["temperature"], told["test_views"], told["fold"]) == (2.5 + fold, 4, fold)
        member = models.load(Path("data/models/sure"), fold)
        alone = models.predict_once(member, images)
        found = exporting.probabilities(content, images)
        assert np.abs(found - alone).max() < exporting.LARGEST_DIFFERENCE
        assert np.abs(found - models.predict(member, images)).max() > 0.001


def test_a_network_that_scores_otherwise_leaves_nothing(project, monkeypatch):
    right = running.outputs

    def wrong(*given):
        return {name: values + np.float32(2e-4) for name, values in right(*given).items()}

    monkeypatch.setattr(running, "outputs", wrong)
    with pytest.raises(ValueError, match=r"differ by up to 0\.0002 on 6 images"):
        export.main("toy")
    assert contents(project) == {}


def test_a_model_of_another_size_or_none_is_refused(project):
    with pytest.raises(ValueError, match=r"data/models/other/config\.json is missing"):
        export.main("other")
    config = artifacts.read_json(Path("data/models/toy/config.json"))
    artifacts.write_json(Path("data/models/toy/config.json"), {**config, "size_px": 64})
    with pytest.raises(ValueError, match=r"toy takes images of 64 px, data/prepared has 32 px"):
        export.main("toy")
