"""What is measured: the files that the export named, sizes and costs that are true, images of the side."""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
import pytest

from cxr import artifacts, exporting
from cxr.metrics import cost
from cxr.speed import subjects
from cxr.training import models
from tests.pruning import parents
from tests.speed import exported


@pytest.fixture
def here(toy, monkeypatch):
    monkeypatch.chdir(toy)
    return toy


def test_a_subject_is_what_was_exported(here, tmp_path):
    found = subjects.subject("toy", size_px=None, scratch=tmp_path)
    network = models.load(here / "data/models/toy", 0).network
    assert found.size_px == parents.SIZE
    assert found.parameters == cost.parameters(network)
    assert found.macs == cost.macs(network, size_px=parents.SIZE)
    assert list(found.files) == ["float32"]
    about = found.about()
    file = here / "data/exported/toy/fold-0.onnx"
    assert about["files"]["float32"]["bytes"] == file.stat().st_size
    assert about["weights_bytes"] == (here / "data/models/toy/fold-0.safetensors").stat().st_size
    assert len(about["config_sha256"]) == 64


def test_at_another_side_it_is_exported_anew(here, tmp_path):
    found = subjects.subject("toy", size_px=64, scratch=tmp_path)
    (given,) = onnx.load(found.files["float32"]).graph.input
    assert [x.dim_value for x in given.type.tensor_type.shape.dim][1:] == [1, 64, 64]
    assert found.macs > 3.5 * subjects.subject("toy", size_px=None, scratch=tmp_path).macs
    probabilities = exporting.probabilities(
        found.files["float32"].read_bytes(), subjects.images(64)[:2]
    )
    assert probabilities.shape == (2, exported.LABELS)


def test_an_int8_file_and_other_folds_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exported.make(tmp_path, "two")
    exported.export(tmp_path, "two", {"fold-0.onnx": b"a", "fold-0.int8.onnx": b"b", "fold-1.onnx": b"c"})  # fmt: skip
    found = subjects.subject("two", size_px=None, scratch=tmp_path)
    assert {kind: path.name for kind, path in found.files.items()} == {
        "float32": "fold-0.onnx", "int8": "fold-0.int8.onnx",
    }  # fmt: skip
    (tmp_path / "data/exported/two/fold-0.int8.onnx").write_bytes(b"changed")
    with pytest.raises(ValueError, match=r"fold-0.int8.onnx is not the file that .*metadata.json"):
        subjects.subject("two", size_px=None, scratch=tmp_path)


def test_what_is_missing_is_told_with_its_cure(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ValueError, match=r"data/models/other/config.json is missing: run `dvc repro`"
    ):
        subjects.subject("other", size_px=None, scratch=tmp_path)
    parents.save(tmp_path / "data/models/unexported", parents.small(), folds=1)
    with pytest.raises(ValueError, match=r"add unexported to export.models .* `make repro`"):
        subjects.subject("unexported", size_px=None, scratch=tmp_path)


def test_the_images_are_the_same_each_time_and_all_different():
    first, second = subjects.images(48), subjects.images(48)
    assert first.dtype == np.uint8 and first.shape == (subjects.IMAGES, 48, 48)
    assert first.tobytes() == second.tobytes()
    assert len({image.tobytes() for image in first}) == subjects.IMAGES


def test_models_of_several_sides_are_not_compared(here, tmp_path):
    both = [subjects.subject("toy", size_px=side, scratch=tmp_path) for side in (None, 64)]
    assert subjects.one_side(both[:1]) == parents.SIZE
    with pytest.raises(ValueError, match=r"toy 32, toy 64.* --size-px"):
        subjects.one_side(both)


def test_the_report_binds_itself_to_the_models_config(here, tmp_path):
    about = subjects.subject("toy", size_px=None, scratch=tmp_path).about()
    config = here / "data/models/toy/config.json"
    assert about["config_sha256"] == hashlib.sha256(config.read_bytes()).hexdigest()
    assert "fold-0.safetensors" in artifacts.read_json(config)["files"]  # and so to its weights
