"""Tests of cxr.prepared: what is written comes back, whatever the shards."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest

from cxr import prepared, seeding


def in_fours(n):
    return [slice(start, min(start + 4, n)) for start in range(0, n, 4)]


def write(folder, images, index):
    """Write shards of at most four images."""
    return prepared.write(folder, lambda rows: images[rows], index, shards=in_fours(len(index)))


def pictures(n, size_px=6):
    return seeding.stream(0, "pictures").integers(0, 256, (n, size_px, size_px), dtype=np.uint8)


def table(n):
    return pd.DataFrame(
        {
            "image": [f"toy/{i:03d}.png" for i in range(n)],
            "patient": [f"toy:{i // 2}" for i in range(n)],
            "source": "NA",
            "view": "",
            "age_years": [np.nan if i == 1 else 40.0 + i for i in range(n)],
            "sex": "F",
            "label:a": [float(i % 2) for i in range(n)],
            "label:b": [np.nan if i == 2 else 1.0 for i in range(n)],
            "sha256": "not kept",
        }
    )


@pytest.mark.parametrize("n", [1, 3, 4, 5, 11])
def test_shards_and_index_come_back(tmp_path, n):
    assert write(tmp_path / "p", pictures(n), table(n)) == 6
    opened = prepared.read(tmp_path / "p")
    assert len(list((tmp_path / "p").glob("images-*.npy"))) == -(-n // 4)
    assert opened.size_px == 6
    assert np.array_equal(opened.gather(np.arange(n)), pictures(n))
    pd.testing.assert_frame_equal(opened.index, table(n).drop(columns="sha256"), check_dtype=False)


def test_gather_takes_any_order_and_repeats(tmp_path):
    write(tmp_path / "p", pictures(11), table(11))
    rows = np.array([10, 0, 5, 5, 3, 9])
    opened = prepared.read(tmp_path / "p")
    assert np.array_equal(opened.gather(rows), pictures(11)[rows])
    assert opened.gather(np.array([], dtype=int)).shape == (0, 6, 6)
    with pytest.raises(ValueError, match=r"rows must lie in 0\.\.10, not -1\.\.3"):
        opened.gather(np.array([3, -1]))


def test_shard_is_what_numpy_writes(tmp_path):
    prepared.write(tmp_path / "p", pictures(5).__getitem__, table(5))
    np.save(tmp_path / "by_numpy.npy", pictures(5))
    shard = (tmp_path / "p" / "images-0000.npy").read_bytes()
    assert shard == (tmp_path / "by_numpy.npy").read_bytes()


def test_travels_to_a_worker_as_a_name(tmp_path):
    write(tmp_path / "p", pictures(5), table(5))
    opened = prepared.read(tmp_path / "p")
    assert opened.__reduce__() == (prepared.read, (tmp_path / "p",))
    assert np.array_equal(copy.copy(opened).gather(np.arange(5)), pictures(5))


def test_odd_sizes_are_refused_and_nothing_stays(tmp_path):
    odd = [*pictures(2), np.zeros((6, 7), np.uint8)]
    with pytest.raises(ValueError, match=r"toy/002.png came out as uint8 \(6, 7\), expected"):
        write(tmp_path / "p", odd, table(3))
    with pytest.raises(ValueError, match=r"toy/000.png came out as uint8 \(6, 7\), expected"):
        write(tmp_path / "p", odd[2:], table(1))
    with pytest.raises(ValueError, match=r"the images end before toy/002.png"):
        write(tmp_path / "p", pictures(2), table(3))
    with pytest.raises(ValueError, match="more images than the index has rows"):
        prepared.write(tmp_path / "p", lambda rows: pictures(3), table(2))
    with pytest.raises(ValueError, match="no image is left to prepare"):
        write(tmp_path / "p", [], table(0))
    assert list(tmp_path.iterdir()) == []


def test_missing_or_unfitting_files_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"index.csv is missing: run `dvc repro preprocess`"):
        prepared.read(tmp_path / "p")
    write(tmp_path / "p", pictures(5), table(5))
    (tmp_path / "p" / "images-0001.npy").unlink()
    with pytest.raises(ValueError, match=r"images-0001.npy is missing: run"):
        prepared.read(tmp_path / "p")
    np.save(tmp_path / "p" / "images-0001.npy", pictures(3))
    with pytest.raises(ValueError, match=r"index.csv has 5 rows, the shards have 7 images"):
        prepared.read(tmp_path / "p")


def test_rows_of_a_part_by_fold_follow_the_index_and_not_the_splits_order() -> None:
    index = pd.DataFrame({"image": ["a", "b", "c"]})
    splits = pd.DataFrame(
        {"image": ["c", "a", "b"], "fold_0": ["val", "train", "val"], "fold_1": ["test"] * 3}
    )
    first, second = prepared.rows(index, splits, "val")
    assert first.tolist() == [1, 2] and second.tolist() == []


@pytest.mark.parametrize(
    ("folds", "shared"),
    [
        (["test test val"], False),
        (["test test val", "test test val"], True),
        (["test val val", "val test val"], False),
        (["val val val", "val val val"], False),
    ],
)
def test_folds_share_their_test_images_or_each_has_its_own(folds, shared):
    index, splits = divided(folds)
    assert prepared.share_test(index, splits) is shared


@pytest.mark.parametrize(
    "folds", [["test test val", "test val val"], ["test val val", "test val val", "val val val"]]
)
def test_an_image_that_some_folds_test_and_others_not_is_named(folds):
    index, splits = divided(folds)
    with pytest.raises(
        ValueError, match=rf"splits\.csv: a is test in 2 of {len(folds)} folds, .*`dvc repro split`"
    ):
        prepared.share_test(index, splits)


def divided(folds: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return an index of three images and their parts, which stand in another order."""
    index = pd.DataFrame({"image": ["a", "b", "c"]})
    splits = index.assign(**{f"fold_{i}": fold.split() for i, fold in enumerate(folds)})
    return index, splits.iloc[::-1]
