"""`python -m cxr.speed`: a whole small report, and what it says where something is missing."""

from __future__ import annotations

import os
import shutil

import pytest

from cxr import artifacts
from cxr.speed import __main__ as speed
from cxr.speed.subjects import subject
from tests.speed import exported


@pytest.fixture
def here(toy, tmp_path, monkeypatch):
    shutil.copytree(toy / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_file_meets_every_engine(here):
    exported.export(here, "toy", {"fold-0.onnx": b"a", "fold-0.int8.onnx": b"b"})
    found = [subject("toy", size_px=None, scratch=here)]
    ways = [(x.engine, x.precision, x.exact) for x in speed.contenders(found, batch=32, threads=1)]
    assert ways == [
        ("onnxruntime", "float32", False), ("onnxruntime", "int8", False),
        ("openvino", "float32", False), ("openvino", "int8", False),
        ("pytorch", "float32", True), ("pytorch", "float32", False),
    ]  # fmt: skip
    both = speed.contenders(found, batch=1, threads=2)
    assert {x.threads for x in both} == {2} and not any(x.exact for x in both)


def test_a_model_that_is_missing_is_one_line(here, python):
    done = python("-m", "cxr.speed", "toy", "other", cwd=here)
    assert done.returncode == 1
    assert done.stderr == "error: data/models/other/config.json is missing: run `dvc repro` (or `dvc pull`) to get the model\n"  # fmt: skip


def test_without_names_the_studys_exported_models_are_meant(here, python):
    (here / "params.yaml").write_text("export: {models: []}\n")
    done = python("-m", "cxr.speed", cwd=here)
    assert done.returncode == 1
    assert done.stderr == "error: no model to measure: name one, or list some in export.models\n"


@pytest.mark.slow
def test_a_whole_report(here, python):
    (here / "params.yaml").write_text("export: {models: [toy]}\n")
    words = ("--rounds", "2", "--seconds", "0.02", "--library", str(exported.NO_LIBRARY))
    one_core = ("taskset", "-c", str(min(os.sched_getaffinity(0))))
    done = python("-m", "cxr.speed", *words, cwd=here, prefix=one_core)
    assert done.returncode == 0, done.stderr
    found = artifacts.read_json(here / "reports/host/speed.json")
    page = (here / "reports/host/speed.md").read_text()
    assert done.stdout == page + "\n"
    assert list(found["models"]) == ["toy"] and found["load"]["others_cores"] >= 0
    assert {(row["batch"], row["threads"]) for row in found["rows"]} == {(1, 1), (32, 1)}
    for row in found["rows"]:
        if row["engine"] == "openvino":
            assert row["missing"] == "not installed: `make bench-setup`"
        else:
            assert row["difference"] < 1e-4 and row["runs"] >= 6
    answered = {(x["engine"], x["batch"]) for x in found["edge"]["rows"] if x["answers"]}
    assert {("onnxruntime", 1), ("onnxruntime", 32)} <= answered
    assert "not installed: `make bench-setup`" in page
