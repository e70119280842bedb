"""explain: maps, sanity check and pointing game of a model; real patients are in no report."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr import artifacts, manifest, numerics, plugins, prepared, seeding
from cxr.datasets import chestxray14
from cxr.phantom import cohort
from cxr.training import loop, models
from cxr.training.network import build
from stages import explain
from stages._bound import Bound
from tests.architectures.cases import cells, stage
from tests.training.recipes import tiny

numerics.exact_torch()
ROOT = Path(__file__).resolve().parents[2]
PHANTOM = {"patients": 20, "image_px": 48, "task": "multiclass", "shuffle_labels": False}
SMALL = {"backbone": "searched", "backbone_options": cells(stage(width=8, depth=1), stem=8)}
LABELS = {name: [name] for name in ("effusion", "ground_glass", "normal", "opacity")}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A small phantom, prepared and split in two folds, and two untrained networks."""
    folder = tmp_path_factory.mktemp("project")
    study = cohort.cohort(1, patients=20, image_px=48, task="multiclass", shuffle_labels=False)
    table = cohort.table(study)
    images = [image.pixels_HW for own in study.radiographs for image in own]
    names = "phantom/images.zip/" + table["image"]
    index = pd.DataFrame(
        {"image": names, "patient": table["patient"], "source": "phantom", "view": "", "age_years": np.nan,
         "sex": "", **{f"label:{name}": table[name].astype(float) for name in LABELS}}
    )  # fmt: skip
    prepared.write(folder / "data/prepared", lambda rows: images[rows], index)
    sizes = pd.DataFrame({"image": names, "width_px": 48, "height_px": 48, "sex": ""})
    artifacts.write_csv(folder / "data/manifest.csv", sizes)
    parts = np.where(
        np.arange(len(index)) % 3 == 0,
        "test",
        np.where(np.arange(len(index)) % 3 == 1, "val", "train"),
    )
    turned = np.where(parts == "test", "val", np.where(parts == "val", "test", "train"))
    splits = pd.DataFrame({"image": names, "group": names, "fold_0": parts, "fold_1": turned})
    artifacts.write_csv(folder / "data/splits.csv", splits)
    recipe, members = tiny(**SMALL), []
    for fold in range(2):
        tensors = dict(build(recipe, labels=4, seed=1, fold=fold).state_dict())
        tensors["head.1.weight"] = tensors["head.1.weight"] * 100
        fitted = loop.Fitted(tensors, best_epoch=0, history=[])
        members.append(models.Saved(fitted, recipe.backbone_options, {}, 1.0))
    models.save(folder / "data/models/toy", recipe, members, labels=list(LABELS), size_px=48)
    return folder


def write_params(*, datasets=("phantom",), labels=LABELS, **changes) -> None:
    """Write what explain reads of params.yaml (JSON is YAML)."""
    sections = {
        "seed": 1,
        "ingest": {"datasets": list(datasets)},
        "merge": {"labels": labels},
        "phantom": PHANTOM,
        "preprocess": {"steps": [{"name": "resize", "size_px": 48, "fit": "pad"}]},
        "explain": {"models": ["toy"], "images": 3, "part": "val", "boxes": None, **changes},
    }
    artifacts.write_json(Path("params.yaml"), sections)


@pytest.fixture
def project(made, tmp_path, monkeypatch) -> Path:
    """A copy of the project, current folder."""
    shutil.copytree(made, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("CXR_WORKERS", "1")
    write_params()
    return tmp_path / "copy"


def contents(folder: Path) -> dict[str, bytes]:
    tops = [folder / "data/explained", folder / "reports/explain"]
    files = sorted(path for top in tops for path in top.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_model_of_two_folds_is_explained_alike_for_any_number_of_workers(project):
    line = explain.main("toy")
    found = contents(project)
    plots = "reports/explain/toy/plots/"
    assert list(found) == [
        "data/explained/toy/fold-0.png", "data/explained/toy/fold-1.png", "reports/explain/toy/metrics.json",
        *(plots + name for name in ("pointing.csv", "sanity.csv", "sanity.png", "sheet.png")),
    ]  # fmt: skip
    assert found[f"{plots}sheet.png"] == found["data/explained/toy/fold-0.png"]
    metrics = artifacts.read_json(Path("reports/explain/toy/metrics.json"))
    plays = artifacts.read_csv(Path(f"{plots}pointing.csv"))
    index, splits = prepared.read(explain.PREPARED).index, artifacts.read_csv(explain.SPLITS)
    val = {
        name for rows in prepared.rows(index, splits, "val") for name in index["image"].iloc[rows]
    }
    ill = index["image"][index["label:normal"] == 0]
    assert set(plays["image"]) == val & set(ill) and metrics["pointing"]["plays"] == len(plays) > 3
    assert metrics["sanity"]["images"] == 6 and f"pointing game on {len(plays)} of val: " in line
    subprocess.run(  # a process of its own: the workers of this one may have another folder
        [sys.executable, "-m", "stages.explain", "toy"],
        cwd=project, check=True, env={**os.environ, "PYTHONPATH": str(ROOT), "CXR_WORKERS": "2"},
    )  # fmt: skip
    assert contents(project) == found


def test_images_that_code_did_not_make_are_in_no_report(project):
    write_params(datasets=["phantom", "chestxray14"])
    explain.main("toy")
    names = [name for name in contents(project) if name.endswith(".png")]
    assert names == [
        "data/explained/toy/fold-0.png", "data/explained/toy/fold-1.png", "reports/explain/toy/plots/sanity.png",
    ]  # fmt: skip


def test_only_the_phantom_is_made_by_code():
    known = plugins.names("datasets")
    assert [name for name in known if explain.made_by_code([name])] == ["phantom"]
    assert not explain.made_by_code(["phantom", "medmnist"])


def test_test_images_are_played_only_once_evaluate_opened_them(project):
    write_params(part="test")
    with pytest.raises(ValueError, match=r"toy/metrics\.json is missing: explain\.part is test"):
        explain.main("toy")
    artifacts.write_json(Path("reports/evaluate/toy/metrics.json"), {})
    assert " of test: " in explain.main("toy")
    plays = artifacts.read_csv(Path("reports/explain/toy/plots/pointing.csv"))
    splits = artifacts.read_csv(explain.SPLITS).set_index("image")
    assert {splits.loc[row.image, f"fold_{row.fold}"] for row in plays.itertuples()} == {"test"}


def test_the_images_shown_are_a_keyed_draw_in_turn_of_what_they_show():
    labels = np.eye(3)[[0] * 20 + [1] * 3 + [2] * 7]
    rows = np.arange(30)

    def drawn(seed, images=6):
        return explain.shown(rows, labels, images=images, rng=seeding.stream(seed, "draw"))

    found = drawn(1)
    assert np.array_equal(found, np.sort(found)) and np.array_equal(found, drawn(1))
    assert labels[found].sum(axis=0).tolist() == [2, 2, 2]
    assert not np.array_equal(found, drawn(2))
    assert labels[drawn(1, 12)].sum(axis=0).tolist() in ([5, 3, 4], [4, 3, 5])
    assert drawn(1, 64).tolist() == rows.tolist()


def test_boxes_of_a_data_set_are_its_readers_in_shares_of_the_image(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = Path("data/raw/chestxray14")
    root.mkdir(parents=True)
    chestxray14.sample(root)
    file = root / "BBox_List_2017.csv"
    named = Bound(file=str(file), sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    (box,) = explain.published(named).to_dict("records")
    assert box["image"] == "chestxray14/images_001.tar.gz/images/00000003_001.png"
    assert box["label"] == "infiltration"
    edges = [box[name] * 1024 for name in ("left", "top", "right", "bottom")]
    assert edges == pytest.approx([225.08, 547.02, 225.08 + 86.78, 547.02 + 79.19])
    with pytest.raises(ValueError, match=r"explain\.boxes\.sha256 says 0: take the file meant"):
        explain.published(Bound(file=str(file), sha256="0"))


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("data/raw/phantom/labels.csv", r"phantom has no boxes in labels\.csv: name no file"),
        ("data/raw/chestxray14/Data_Entry_2017.csv", r"name BBox_List_2017\.csv"),
        ("data/raw/../x/BBox_List_2017.csv", r"must lie in data/raw/<data set>"),
        ("reports/BBox_List_2017.csv", r"must lie in data/raw/<data set>"),
    ],
)
def test_a_table_that_no_reader_knows_is_refused(file, words):
    with pytest.raises(ValueError, match=words):
        explain.published(Bound(file=file, sha256="0"))


def test_what_does_not_fit_is_told(project):
    write_params(labels={**LABELS, "mass": ["mass"]})
    with pytest.raises(
        ValueError, match="toy is of other images or labels than data/prepared: run `dvc"
    ):
        explain.main("toy")
    write_params(images=1)
    with pytest.raises(ValueError, match=r"images must lie in 2\.\.64, not 1"):
        explain.main("toy")
    index, splits = prepared.read(explain.PREPARED).index, artifacts.read_csv(explain.SPLITS)
    bare = splits.assign(fold_1="train")
    with pytest.raises(ValueError, match=r"fold 1 has not two val images: raise split\.fractions"):
        explain.chosen(index, bare, images=3, seed=1)
    assert contents(project) == {} and manifest.labels(index) == list(LABELS)
