"""Tests of cxr.datasets.folder: classes and given splits from every layout it promises."""

from __future__ import annotations

import shutil
import zipfile

import pytest

from cxr import archives
from cxr.datasets import folder


@pytest.fixture(autouse=True)
def _close_archives():
    yield
    archives.close()


def make(root, *names):
    """Make empty files; reading a layout looks at names only."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def labels_and_splits(root):
    table = folder.read(root)
    labels = [name for name in table.columns if name.startswith("label:")]
    label = table[labels].idxmax(axis="columns").str.removeprefix("label:")
    assert (table[labels].sum(axis="columns") == 1).all()
    return list(zip(table["image"], label, table["given_split"], strict=True))


def test_one_folder_per_class_and_anything_below(tmp_path):
    make(tmp_path, "COVID/images/1.png", "Lung Opacity/2.jpg", "notes.txt", "COVID/readme.md")
    assert labels_and_splits(tmp_path) == [
        ("COVID/images/1.png", "covid", ""),
        ("Lung Opacity/2.jpg", "lung_opacity", ""),
    ]


def test_given_splits_are_kept(tmp_path):
    make(tmp_path, *(f"chest/{s}/{c}/1.png" for s in ("train", "Val", "test") for c in "AB"))
    splits = {(label, split) for _, label, split in labels_and_splits(tmp_path)}
    assert splits == {(c, s) for s in ("train", "val", "test") for c in "ab"}


def test_a_set_of_one_split_only_keeps_it(tmp_path):
    make(tmp_path, "train/a/1.png", "train/b/1.png")
    assert [split for *_, split in labels_and_splits(tmp_path)] == ["train", "train"]


def test_archives_count_as_folders(tmp_path):
    folder.sample(tmp_path / "Set")
    plain = labels_and_splits(tmp_path)
    shutil.make_archive(str(tmp_path / "images"), "zip", tmp_path, "Set")
    shutil.rmtree(tmp_path / "Set")
    assert labels_and_splits(tmp_path) == [(f"images.zip/{name}", *rest) for name, *rest in plain]


def test_an_archive_per_class_and_below_a_split(tmp_path):
    for name in ("train/covid.zip", "train/normal.zip", "test/covid.zip", "test/normal.zip"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(tmp_path / name, "w") as file:
            file.writestr("1.png", b"")
    assert labels_and_splits(tmp_path)[0] == ("test/covid.zip/1.png", "covid", "test")
    assert labels_and_splits(tmp_path)[3] == ("train/normal.zip/1.png", "normal", "train")


def test_patients_come_from_the_table(tmp_path):
    make(tmp_path, "a/1.png", "a/2.png", "b/1.png")
    assert folder.read(tmp_path)["patient"].tolist() == ["", "", ""]
    (tmp_path / "patients.csv").write_text("image,patient\na/1.png,x\n2.png,x\nb/1.png,007\n")
    assert folder.read(tmp_path)["patient"].tolist() == ["x", "x", "007"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,patient\na/1.png,x\n", r"patients.csv has no patient for b/1.png: add its row"),
        ("image,person\na/1.png,x\n", r"patients.csv lacks the column 'patient'"),
        ("image,patient\na/1.png,x\na/1.png,y\n", r"row 3: a/1.png stands twice.*keep one row"),
        ("image,patient\na/1.png,\nb/1.png,y\n", r"row 2: a/1.png has no patient"),
        ("image,patient\na/1.png,x,7\nb/1.png,y,8\n", r"row 2: 3 cells, the header has 2"),
        ("image;patient\na/1.png;x\n", r"separated by ';': save it as CSV"),
        ("image,patient\n1.png,x\n", r"1.png stands in several folders: write its path"),
        ("", r"patients.csv .*empty"),
    ],
)
def test_faulty_table_of_patients_is_named(tmp_path, text, message):
    make(tmp_path, "a/1.png", "b/1.png")
    (tmp_path / "patients.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        folder.read(tmp_path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["notes.txt"], "has no images"),
        (["1.png", "a/2.png"], "1.png lies in no class folder"),
        (["a/1.png", "a/2.png"], "lies in no class folder beside another"),
        (["train/a/1.png", "test/a/1.png"], "has one class, a, expected two or more"),
        (["train/a/1.png", "extra/b/1.png"], "extra/b/1.png lies outside the folders train"),
        (["train/1.png", "train/a/1.png"], "train/1.png lies in no class folder"),
    ],
)
def test_faulty_layout_is_named(tmp_path, names, message):
    make(tmp_path, *names)
    with pytest.raises(ValueError, match=f"folder: .*{message}"):
        folder.read(tmp_path)
