"""The phantom's reader beyond the contract of all readers: tasks and missing files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from cxr import artifacts
from cxr.datasets import phantom
from cxr.phantom import cohort as cohorts


def test_rows_name_members_of_the_archive(tmp_path: Path):
    phantom.sample(tmp_path)
    table = phantom.read(tmp_path)
    with zipfile.ZipFile(tmp_path / "images.zip") as file:
        assert table["image"].tolist() == [f"images.zip/{name}" for name in file.namelist()]
    assert len(table) <= 12


def test_multiclass_has_one_class_per_image(tmp_path: Path):
    phantom.sample(tmp_path)
    labels = phantom.read(tmp_path).filter(like="label:")
    assert list(labels) == ["label:normal", "label:opacity", "label:ground_glass", "label:effusion"]
    assert (labels.sum(axis=1) == 1).all()


def test_multilabel_has_the_three_findings(tmp_path: Path):
    study = cohorts.cohort(1, patients=2, image_px=32, task="multilabel", shuffle_labels=False)
    artifacts.write_bytes(tmp_path / "images.zip", cohorts.archive(study))
    artifacts.write_csv(tmp_path / "labels.csv", cohorts.table(study))
    labels = phantom.read(tmp_path).filter(like="label:")
    assert list(labels) == ["label:opacity", "label:ground_glass", "label:effusion"]


@pytest.mark.parametrize("name", ["labels.csv", "images.zip"])
def test_missing_file_is_named_with_the_cure(tmp_path: Path, name: str):
    phantom.sample(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ValueError, match=rf"{name} is missing: run `dvc repro phantom`"):
        phantom.read(tmp_path)


def test_missing_column_is_named(tmp_path: Path):
    phantom.sample(tmp_path)
    table = artifacts.read_csv(tmp_path / "labels.csv").drop(columns="view")
    artifacts.write_csv(tmp_path / "labels.csv", table)
    with pytest.raises(ValueError, match="must have the columns image, patient, view"):
        phantom.read(tmp_path)
