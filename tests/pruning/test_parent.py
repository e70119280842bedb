"""The parent's folds: which images pruning sees, and what makes a parent or a split unfit."""

import numpy as np
import pytest

from cxr import artifacts
from cxr.pruning import parent
from tests.pruning.parents import PARTS, make, save, small


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parent")
    make(folder)
    return folder


def folds(folder, splits=None, *, images=8, seed=7):
    splits = artifacts.read_csv(folder / "data/splits.csv") if splits is None else splits
    return parent.folds(
        folder / "data/models/toy", folder / "data/prepared", splits,
        recalibration_images=images, reconstruct=True, seed=seed,
    )  # fmt: skip


def test_each_fold_has_its_own_rows_and_none_of_test(project):
    first, second = folds(project)
    assert first.number == 0 and second.number == 1
    assert first.train_rows.tolist() == list(range(16))
    assert first.val_rows.tolist() == list(range(16, 22))
    assert first.search_val_rows.tolist() == list(range(22, 28))
    assert second.train_rows.tolist() == list(range(16, 32))
    assert first.calibration_rows.tolist() == second.calibration_rows.tolist() == []
    assert PARTS[28:] == ["test"] * 4


def test_images_for_recalibration_are_drawn_from_train(project):
    first, second = folds(project)
    for fold in (first, second):
        chosen = fold.recalibration_rows
        assert len(chosen) == 8 and (np.diff(chosen) > 0).all()
        assert np.isin(chosen, fold.train_rows).all()
    again = folds(project)[0].recalibration_rows
    other = folds(project, seed=8)[0].recalibration_rows
    assert np.array_equal(first.recalibration_rows, again)
    assert not np.array_equal(first.recalibration_rows, other)
    assert folds(project, images=99)[0].recalibration_rows.tolist() == list(range(16))


def test_splits_in_another_order_give_the_same_folds(project):
    shuffled = artifacts.read_csv(project / "data/splits.csv").iloc[::-1]
    for ours, theirs in zip(folds(project), folds(project, shuffled), strict=True):
        assert np.array_equal(ours.recalibration_rows, theirs.recalibration_rows)


@pytest.mark.parametrize(
    ("part", "into", "message"),
    [
        ("search_val", "test", r"search_val of fold 0 has 0 images, .*fractions\.search_val a larger"),
        ("val", "test", r"val of fold 0 has 0 images, .*split\.fractions\.val a larger share"),
        ("train", "test", r"train of fold 0 has 0 images: give split\.fractions\.train a share"),
    ],
)  # fmt: skip
def test_a_part_that_is_missing_is_told(project, part, into, message):
    splits = artifacts.read_csv(project / "data/splits.csv")
    splits["fold_0"] = splits["fold_0"].replace(part, into)
    with pytest.raises(ValueError, match=message):
        folds(project, splits)


def test_one_class_alone_cannot_tell_networks_apart(project):
    splits = artifacts.read_csv(project / "data/splits.csv")
    odd = splits.index % 2 == 1
    splits.loc[odd & (splits["fold_0"] == "search_val"), "fold_0"] = "test"
    with pytest.raises(ValueError, match="search_val of fold 0 has 3 images, and no label"):
        folds(project, splits)


def test_a_model_of_other_folds_is_refused(project):
    splits = artifacts.read_csv(project / "data/splits.csv").drop(columns="fold_1")
    with pytest.raises(ValueError, match=r"toy has 2 fold\(s\), data/splits.csv has 1: run `dvc"):
        folds(project, splits)


def test_a_parent_that_was_trained_in_part_is_refused(tmp_path):
    make(tmp_path)
    save(tmp_path / "data/models/toy", small(trainable=["head", "layer4"]), folds=2)
    with pytest.raises(ValueError, match=r"toy was trained with trainable \['head', 'layer4'\]"):
        folds(tmp_path)


def test_a_parent_with_a_temperature_needs_calibration_images(tmp_path):
    make(tmp_path, small(calibration="temperature"))
    with pytest.raises(
        ValueError, match=r"calibration of fold 0 has 0 image\(s\) and no known label"
    ):
        folds(tmp_path)
    splits = artifacts.read_csv(tmp_path / "data/splits.csv")
    for column, image in (("fold_0", 28), ("fold_1", 3)):
        splits.loc[image, column] = "calibration"
    first, second = folds(tmp_path, splits)
    assert (first.calibration_rows.tolist(), second.calibration_rows.tolist()) == ([28], [3])
