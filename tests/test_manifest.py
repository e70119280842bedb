"""The one table keeps its form on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr import manifest
from tests import factories


@pytest.fixture
def table() -> pd.DataFrame:
    """Six images with everything that CSV readers like to spoil."""
    made = factories.manifest(6)
    made["patient"] = ["NA", "001", "1e5", "null", "a,b", 'ö "x"']
    made["phash"] = ["0000000000000000", "00000000000000e1", *made["phash"][2:]]
    made["view"] = ["", "PA", "AP", "LATERAL", "", ""]
    made["age_years"] = [np.nan, 0.1, 1 / 3, 60.0, 70.0, 80.0]
    made["label:normal"] = [1.0, 0.0, np.nan, 1.0, 0.0, np.nan]
    made["fault"] = ["image file is truncated", "", "", "", "", ""]
    return made


def test_a_table_comes_back_as_it_was(tmp_path: Path, table: pd.DataFrame) -> None:
    manifest.write(tmp_path / "a.csv", table)
    back = manifest.read(tmp_path / "a.csv")
    assert back["patient"].tolist() == table["patient"].tolist()
    assert back["phash"].tolist() == table["phash"].tolist()
    assert back["view"].tolist() == table["view"].tolist()
    assert back["fault"].tolist() == table["fault"].tolist()
    assert back["age_years"].to_numpy().tobytes() == table["age_years"].to_numpy().tobytes()
    assert back["width_px"].dtype == np.int64
    np.testing.assert_array_equal(manifest.label_array(back), manifest.label_array(table))
    assert manifest.label_array(back).dtype == np.float32
    manifest.write(tmp_path / "b.csv", back)
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()


def test_bytes_do_not_depend_on_the_order_of_rows_or_columns(
    tmp_path: Path, table: pd.DataFrame
) -> None:
    manifest.write(tmp_path / "a.csv", table)
    columns = [*reversed(manifest.COLUMNS), *manifest.label_columns(table), "a column of a reader"]
    other = table.iloc[::-1].assign(**{"a column of a reader": 1})[columns]
    manifest.write(tmp_path / "b.csv", other)
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()
    header = (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header.split(",") == [*manifest.COLUMNS, "label:normal", "label:pneumonia"]


def test_an_all_unknown_label_stays_a_number(tmp_path: Path, table: pd.DataFrame) -> None:
    table["label:normal"] = np.nan
    manifest.write(tmp_path / "a.csv", table)
    back = manifest.read(tmp_path / "a.csv")
    assert back["label:normal"].dtype == np.float64
    assert back["label:normal"].isna().all()


def test_labels_are_named_without_the_prefix(table: pd.DataFrame) -> None:
    assert manifest.labels(table) == ["normal", "pneumonia"]
    assert manifest.label_array(table).shape == (6, 2)


def test_a_missing_column_is_named(table: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="here: the manifest lacks the columns patient, view"):
        manifest.check(table.drop(columns=["view", "patient"]), where="here")


def test_no_label_is_told(table: pd.DataFrame) -> None:
    bare = table.drop(columns=manifest.label_columns(table))
    with pytest.raises(ValueError, match="the manifest has no column label:<name>"):
        manifest.check(bare, where="here")


def test_an_image_that_stands_twice_is_named(table: pd.DataFrame) -> None:
    table.loc[3, "image"] = table.loc[1, "image"]
    with pytest.raises(ValueError, match=r"1 images stand twice, first 'toy/images/000001\.png'"):
        manifest.check(table, where="here")


def test_a_label_that_is_neither_present_nor_absent_is_refused(table: pd.DataFrame) -> None:
    table.loc[3, "label:normal"] = 0.5
    with pytest.raises(ValueError, match=r"label:normal must be 1, 0 or empty, not 0\.5 \(image '"):
        manifest.check(table, where="here")
