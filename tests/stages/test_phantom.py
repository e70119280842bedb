"""The stage phantom: what it writes, twice the same, and which parameters it refuses."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr import artifacts, params
from stages import phantom

SETTINGS = {"patients": 6, "image_px": 40, "task": "multiclass", "shuffle_labels": False}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    artifacts.write_json(tmp_path / "params.yaml", {"seed": 7, "phantom": SETTINGS})
    return tmp_path


def test_stage_writes_images_labels_and_portrait(workspace: Path):
    line = phantom.main()
    table = artifacts.read_csv(workspace / "data/raw/phantom/labels.csv")
    with zipfile.ZipFile(workspace / "data/raw/phantom/images.zip") as file:
        assert file.namelist() == table["image"].tolist()
        image = np.asarray(Image.open(io.BytesIO(file.read(table["image"][0]))))
    assert image.shape == (40, 40) and image.dtype == np.uint8
    assert line.startswith(f"{len(table)} images of 6 patients: ")
    assert sorted(path.name for path in (workspace / "data/raw/phantom").iterdir()) == [
        "images.zip",
        "labels.csv",
    ]
    with Image.open(workspace / "reports/phantom/plots/portrait.png") as portrait:
        assert portrait.width > 900


def test_stage_run_twice_writes_the_same_bytes(workspace: Path):
    written = []
    for _ in range(2):
        phantom.main()
        files = sorted(path for path in workspace.rglob("*") if path.is_file())
        written.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])
    assert written[0] == written[1] and len(written[0]) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patients": 0}, "patients must be 1 or more, not 0"),
        ({"image_px": 16}, "image_px must be 32 to 1024, not 16"),
        ({"task": "regression"}, "must be one of 'multiclass', 'multilabel', not 'regression'"),
    ],
)
def test_impossible_parameters_are_refused(change: dict, message: str):
    with pytest.raises(ValueError, match=message):
        params.build(phantom.Params, SETTINGS | change, where="phantom")
