"""Tests of cxr.datasets.medmnist: names, forms and counts, and the real pneumoniamnist."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest

from cxr import archives, images
from cxr.datasets import _medmnist, medmnist


@pytest.fixture(autouse=True)
def _close_archives():
    yield
    archives.close()


def write(root, name, counts=(3, 2, 2), size_px=28, colour=False, classes=2, **changed):
    """Write a set whose labels go round; `changed` replaces arrays, None leaves one out."""
    arrays = {}
    for split, count in zip(medmnist.SPLITS, counts, strict=True):
        shape = (count, size_px, size_px) + ((3,) if colour else ())
        arrays[f"{split}_images"] = np.zeros(shape, np.uint8)
        arrays[f"{split}_labels"] = (np.arange(count) % classes).astype(np.uint8)[:, None]
    arrays = {key: array for key, array in (arrays | changed).items() if array is not None}
    root.mkdir(parents=True, exist_ok=True)
    np.savez(root / name, **arrays)
    return root


def test_official_counts_give_the_official_division(tmp_path):
    table = medmnist.read(write(tmp_path, "breastmnist.npz", (546, 78, 156)))
    assert table["given_split"].value_counts().to_dict() == {"train": 546, "val": 78, "test": 156}
    assert table["image"][546] == "breastmnist.npz/val_images/000000"
    assert set(table["source"]) == {"breastmnist"}
    assert table["label:normal_benign"].tolist()[:3] == [0, 1, 0]
    assert table["label:malignant"].tolist()[:3] == [1, 0, 1]
    assert set(table["patient"]) == {""}


@pytest.mark.parametrize("size_px", [28, 64, 128, 224])
def test_other_sizes_and_colour_are_read(tmp_path, size_px):
    name = f"dermamnist_{size_px}_part.npz" if size_px > 28 else "dermamnist_part.npz"
    write(tmp_path, name, size_px=size_px, colour=True, classes=7)
    table = medmnist.read(tmp_path)
    assert len(table) == 7
    assert table.filter(like="label:").sum(axis=1).eq(1).all()
    image = images.decode(archives.read(tmp_path, table["image"][6]), name="x")
    assert image.grey.shape == (size_px, size_px)
    assert image.channels == 3


def test_several_labels_per_image_stay_columns(tmp_path):
    labels = {f"{split}_labels": np.zeros((2, 14), np.uint8) for split in medmnist.SPLITS}
    labels["val_labels"][1, [0, 13]] = 1
    table = medmnist.read(write(tmp_path, "chestmnist_part.npz", (2, 2, 2), **labels))
    truth = table.filter(like="label:")
    assert truth.columns[0] == "label:atelectasis"
    assert truth.columns[13] == "label:hernia"
    assert truth.sum(axis=1).tolist() == [0, 0, 0, 2, 0, 0]
    assert truth.loc[3, "label:hernia"] == 1


def test_other_counts_are_refused_and_a_part_is_told(tmp_path):
    write(tmp_path / "a", "pneumoniamnist.npz", (2428, 270, 468))
    with pytest.raises(
        ValueError,
        match=r"has 2428 train, 270 val, 468 test images, officially they are 4708 train, 524 val, "
        r"624 test: .* under the name pneumoniamnist_part.npz, without the official division",
    ):
        medmnist.read(tmp_path / "a")
    (tmp_path / "a" / "pneumoniamnist.npz").rename(tmp_path / "a" / "pneumoniamnist_part.npz")
    table = medmnist.read(tmp_path / "a")
    assert len(table) == 2428 + 270 + 468
    assert set(table["given_split"]) == {""}
    assert set(table["source"]) == {"pneumoniamnist (part)"}


@pytest.mark.parametrize("name", list(_medmnist.SETS))
def test_each_set_is_as_published(tmp_path, name):
    known = _medmnist.SETS[name]
    assert len(set(known.labels)) == len(known.labels) >= 2
    assert all(word == _medmnist.label_name(word) for word in known.labels)
    assert known.multilabel == (name == "chestmnist")
    assert known.licence == ("CC-BY-NC-4.0" if name == "dermamnist" else "CC-BY-4.0")
    classes = len(known.labels)
    labels = {}
    if known.multilabel:
        labels = {
            f"{split}_labels": np.eye(2, classes, dtype=np.int64) for split in medmnist.SPLITS
        }
    write(tmp_path, f"{name}_part.npz", (2, 2, 2), colour=known.colour, classes=classes, **labels)
    assert list(medmnist.read(tmp_path).filter(like="label:")) == [
        f"label:{label}" for label in known.labels
    ]


def test_totals_are_those_of_the_paper():
    # as in Yang et al. 2023, which has the organ sets of version 2, here the last of their counts
    assert {name: sum(one.counts[-1]) for name, one in _medmnist.SETS.items()} == {
        "pathmnist": 107180, "chestmnist": 112120, "dermamnist": 10015, "octmnist": 109309,
        "pneumoniamnist": 5856, "retinamnist": 1600, "breastmnist": 780, "bloodmnist": 17092,
        "tissuemnist": 236386, "organamnist": 58850, "organcmnist": 23660, "organsmnist": 25221,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"val_images": None}, r"has no array val_images of uint8"),
        ({"val_images": np.zeros((2, 28, 28), np.float32)}, r"has no array val_images of uint8"),
        ({"val_images": np.zeros((2, 64, 64), np.uint8)}, r"val_images has the shape \(64, 64\), expected \(28, 28\)"),
        ({"val_images": np.zeros((2, 28, 28, 3), np.uint8)}, r"shape \(28, 28, 3\), expected \(28, 28\)"),
        ({"val_labels": None}, r"has no member 'val_labels.npy'"),
        ({"val_labels": np.zeros((3, 1), np.uint8)}, r"uint8 of shape \(3, 1\), expected whole numbers of shape \(2, 1\)"),
        ({"val_labels": np.zeros((2, 1), np.float64)}, r"val_labels.npy has float64 of shape"),
        ({"val_labels": np.zeros((2, 14), np.uint8)}, r"shape \(2, 14\), expected"),
        ({"val_labels": np.array([[0], [2]])}, r"1 faulty row: row 1: \[2\] is no label, expected 0 to 1"),
        ({"val_labels": np.array([[-1], [0]])}, r"row 0: \[-1\] is no label"),
    ],
)  # fmt: skip
def test_faulty_array_is_named(tmp_path, changed, message):
    write(tmp_path, "pneumoniamnist_part.npz", **changed)
    with pytest.raises(ValueError, match=message) as caught:
        medmnist.read(tmp_path)
    assert "pneumoniamnist_part.npz" in str(caught.value)


def test_pickled_labels_are_never_loaded(tmp_path):
    write(tmp_path, "pneumoniamnist_part.npz", val_labels=np.array([{}, {}], object))
    with pytest.raises(ValueError, match=r"pickle|object"):
        medmnist.read(tmp_path)


@pytest.mark.parametrize(
    "name", ["mnist.npz", "pneumoniamnist_32.npz", "data.npz", "organmnist3d.npz", "x_y_z.npz"]
)
def test_unknown_name_lists_the_known(tmp_path, name):
    write(tmp_path, name)
    with pytest.raises(ValueError, match=r"<set>_<size>.npz, .*28, 64, 128, 224.*chestmnist"):
        medmnist.read(tmp_path)


def test_two_files_and_none_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"has no .npz file: get one file"):
        medmnist.read(tmp_path)
    write(tmp_path, "pneumoniamnist_part.npz")
    write(tmp_path / "more", "breastmnist_part.npz")
    with pytest.raises(ValueError, match=r"2 .npz files \(more/breastmnist_part.npz, pneumonia"):
        medmnist.read(tmp_path)


def test_real_pneumoniamnist_has_its_counts():
    folder = os.environ.get("CXR_REAL_DATA")
    if not folder:
        pytest.skip("CXR_REAL_DATA is not set: the real pneumoniamnist is not read")
    root = Path(folder, "pneumoniamnist")
    table = medmnist.read(root)
    counts = table.groupby("given_split")[["label:normal", "label:pneumonia"]].sum().astype(int)
    assert counts.loc["train"].tolist() == [1214, 3494]
    assert counts.loc["val"].tolist() == [135, 389]
    assert counts.loc["test"].tolist() == [234, 390]
    # the first and last row of each array are those that numpy reads
    with np.load(root / "pneumoniamnist.npz", allow_pickle=False) as arrays:
        for split in medmnist.SPLITS:
            rows = table["image"][table["given_split"] == split]
            for row in (0, -1):
                content = archives.read(root, rows.iloc[row])
                picture = np.load(io.BytesIO(content), allow_pickle=False)
                assert np.array_equal(picture, arrays[f"{split}_images"][row])
