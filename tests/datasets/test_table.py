"""Tests of cxr.datasets.table: both forms of labels, the optional columns, and every refusal."""

from __future__ import annotations

import gzip
import zipfile

import numpy as np
import pytest

from cxr import archives
from cxr.datasets import table


@pytest.fixture(autouse=True)
def _close_archives():
    yield
    archives.close()


def read(root, text, name="labels.csv"):
    (root / name).write_text(text)
    return table.read(root)


def labels(result):
    return {
        name.removeprefix("label:"): result[name].tolist()
        for name in result
        if name.startswith("label:")
    }


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[x], b[x], equal_nan=True) for x in a)


def test_names_in_one_column_become_labels(tmp_path):
    result = read(
        tmp_path,
        "path,label\n1.png,Lung Opacity\n2.png,COVID-19|Lung Opacity\n3.png,none\n4.png,No Finding\n5.png,\n6.png,NA\n",
    )
    nan = np.nan
    assert same(
        labels(result), {"covid_19": [0, 1, 0, 0, nan, nan], "lung_opacity": [1, 1, 0, 0, nan, nan]}
    )


def test_columns_of_labels_hold_one_zero_or_nothing(tmp_path):
    text = "image,label:Pleural Effusion,label:b,more\n1.png,1,0,x\n2.png,,1.0,y\n3.png,NaN,nan,z\n4.png,NA,0.0,\n"
    nan = np.nan
    expected = {"pleural_effusion": [1, nan, nan, nan], "b": [0, 1, nan, 0]}
    assert same(labels(read(tmp_path, text)), expected)


def test_optional_columns_are_read_by_their_words(tmp_path):
    text = (
        "path,label,patient,view,age,sex,split,source,kind\n"
        "a/1.png,x,007,pa,63.5,female,Training,ward 1,\n"
        "./a//2.png,y,NA,AP Supine,,m,validation,,mask\n"
        "3.png,y,,lateral,-1,unknown,TEST,,image\n"
        "4.png,y,,,200,,,,IMAGE\n"
    )
    result = read(tmp_path, text)
    assert result["image"].tolist() == ["a/1.png", "a/2.png", "3.png", "4.png"]
    assert result["patient"].tolist() == ["007", "", "", ""]
    assert result["view"].tolist() == ["PA", "AP", "LATERAL", ""]
    # impossible ages are for validate to judge, not for the reader
    assert np.array_equal(result["age_years"], [63.5, np.nan, -1, 200], equal_nan=True)
    assert result["sex"].tolist() == ["F", "M", "", ""]
    assert result["given_split"].tolist() == ["train", "val", "test", ""]
    assert result["source"].tolist() == ["ward 1", "unknown", "unknown", "unknown"]
    assert result["kind"].tolist() == ["image", "mask", "image", "image"]
    assert result.index.tolist() == [0, 1, 2, 3]


def test_without_optional_columns_all_is_unknown(tmp_path):
    result = read(tmp_path, "path,label\n1.png,x\n2.png,y\n")
    for name in ("patient", "view", "sex", "given_split"):
        assert result[name].tolist() == ["", ""]
    assert result["source"].tolist() == ["unknown", "unknown"]
    assert result["age_years"].isna().all()
    assert result["kind"].tolist() == ["image", "image"]


def test_rows_of_absent_files_stay(tmp_path):
    table.sample(tmp_path)
    (tmp_path / "images" / "3.png").unlink()
    result = table.read(tmp_path)
    assert len(result) == 6
    assert set(result["image"]) - set(archives.members(tmp_path)) == {"images/3.png"}


def test_the_only_csv_is_the_table_and_labels_csv_goes_before_others(tmp_path):
    text = "path,label\n1.png,x\n2.png,y\n"
    assert len(read(tmp_path, text, "anything.csv")) == 2
    (tmp_path / "other.csv").write_text("nothing")
    with pytest.raises(ValueError, match=r"2 CSV files \(anything.csv, other.csv\): name the one"):
        table.read(tmp_path)
    (tmp_path / "labels.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert len(table.read(tmp_path)) == 2


def test_table_and_images_may_lie_in_a_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.writestr(
            "inner/list.csv", "path,label\nset.zip/inner/1.png,x\nset.zip/inner/2.png,y\n"
        )
        file.writestr("inner/1.png", b"")
        file.writestr("inner/2.png", b"")
    result = table.read(tmp_path)
    assert set(result["image"]) <= set(archives.members(tmp_path))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("/etc/passwd,x,,,", r"path '/etc/passwd' is absolute: write it from"),
        ("C:/x.png,x,,,", "is absolute"),
        ("../x.png,x,,,", "leaves the data set's folder"),
        ("a/../../x.png,x,,,", "leaves the data set's folder"),
        ("a\\x.png,x,,,", "has a backslash: write /"),
        ('"a\nx.png",x,,,', "holds a line end"),
        (",x,,,", "names no file"),
        ("=cmd()!A1,x,,,", "begins as a spreadsheet's formula"),
        ("2.png,=1+1,,,", "label '=1\\+1' begins as a spreadsheet's formula"),
        ("2.png,+x,,,", "formula"),
        ("2.png,@x,,,", "formula"),
        ("2.png,x,-x,,", "patient '-x' begins as a spreadsheet's formula"),
        ("2.png,x|none,,,", "contradicts itself: no finding beside a finding"),
        ("2.png,x||y,,,", "has a name without a letter"),
        ("2.png,x,,63Y,", "age_years '63Y' is no number of years: write 63, or nothing"),
        ("2.png,x,,inf,", "is no number of years"),
        ("2.png,x,,6_3,", "is no number of years"),
        ("2.png,x,,,holdout", "split 'holdout' is no split: write train, val, test"),
        ("1.png,x,,,", "1.png stands in row 2 already"),
        ("./1.png,x,,,", "1.png stands in row 2 already"),
    ],
)
def test_faulty_row_is_named_with_its_cure(tmp_path, row, message):
    text = f"path,label,patient,age_years,split\n1.png,y,p,3,train\n{row}\n"
    with pytest.raises(ValueError, match=rf"labels.csv has 1 faulty row: row 3: .*{message}.*Cure"):
        read(tmp_path, text)


@pytest.mark.parametrize("cell", ["maybe", "yes", "-1", "2", "0.5", "none", "true", "1 0"])
def test_only_one_zero_or_nothing_is_a_label(tmp_path, cell):
    with pytest.raises(ValueError, match=rf"row 2: label:a '{cell}' is no label: write 1, 0"):
        read(tmp_path, f"path,label:a,label:b\n1.png,{cell},0\n")


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [("sex", "Q", "is no sex"), ("view", "oblique", "is no view"), ("kind", "ct", "is no kind")],
)
def test_unknown_words_are_refused(tmp_path, column, cell, message):
    with pytest.raises(ValueError, match=f"row 2: {column} '{cell}' {message}: write"):
        read(tmp_path, f"path,label,{column}\n1.png,a,{cell}\n")


def test_all_faulty_rows_are_told_at_once(tmp_path):
    rows = "".join(f"{i}.png,maybe,1\n" for i in range(40))
    with pytest.raises(ValueError) as caught:
        read(tmp_path, f"path,label:a,label:b\nok.png,1,0\n{rows}../x,1,1\n")
    words = str(caught.value)
    assert "has 41 faulty rows: row 3: label:a 'maybe'" in words
    assert "and 31 more" in words


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label\nx\n", "lacks the column 'path': row 1, its header, has 'label'"),
        ("path\n1.png\n", r"neither label nor label:<name> columns"),
        ("path,label,label:a\n1.png,a,1\n", "both label and label:<name> columns"),
        ("path,image,label\n1.png,1.png,a\n", "both 'path' and 'image': keep one"),
        ("path,age,age_years,label\n1.png,3,3,a\n", "both 'age_years' and 'age'"),
        ("path,label:\n1.png,1\n", "give each label a name of its own"),
        ("path,label:A b,label:a_b\n1.png,1,1\n", "give each label a name of its own"),
        ("path,label\n1.png,none\n", "names no label in any row"),
        ("path,label:a\n", "has a header and no row"),
        ("path,label\n", "has a header and no row"),
    ],
)
def test_faulty_header_is_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=f"table: .*labels.csv.*{message}"):
        read(tmp_path, text)


def arrived(root, folder, text, *, files=()):
    """Write an arrival's table and empty files beside it."""
    for name in files:
        (root / folder / name).parent.mkdir(parents=True, exist_ok=True)
        (root / folder / name).write_bytes(b"")
    (root / folder).mkdir(exist_ok=True)
    (root / folder / "labels.csv").write_text(text)


def test_arrivals_are_read_with_the_table_at_the_top(tmp_path):
    (tmp_path / "labels.csv").write_text("path,label,patient\n1.png,a,p1\n2.png,none,p2\n")
    arrived(tmp_path, "2027-03", "path,label\ni/3.png,b\ni/4.png,a|b\n", files=["i/3.png"])
    arrived(tmp_path, "2027-01", "image,label,patient\n./1.png,,p1\n", files=["1.png"])
    result = table.read(tmp_path)
    assert result["image"].tolist() == [
        "1.png", "2.png", "2027-01/1.png", "2027-03/i/3.png", "2027-03/i/4.png"
    ]  # fmt: skip
    assert result["patient"].tolist() == ["p1", "p2", "p1", "", ""]
    assert same(labels(result), {"a": [1, 0, np.nan, 0, 1], "b": [0, 0, np.nan, 1, 1]})
    assert result.index.tolist() == [0, 1, 2, 3, 4]


def test_arrivals_need_no_table_at_the_top(tmp_path):
    for folder, label in (("one", "a"), ("two", "b")):
        arrived(tmp_path, folder, f"path,label\nx.png,{label}\n", files=["x.png"])
    result = table.read(tmp_path)
    assert result["image"].tolist() == ["one/x.png", "two/x.png"]
    assert same(labels(result), {"a": [1, 0], "b": [0, 1]})


def test_a_first_arrival_is_read_from_its_folder_on(tmp_path):
    arrived(tmp_path, "one", "path,label\nx.png,a\ngone.png,b\n", files=["x.png"])
    assert table.read(tmp_path)["image"].tolist() == ["one/x.png", "one/gone.png"]


def test_an_only_table_in_a_folder_may_name_its_images_from_the_top_on(tmp_path):
    """As it always could; beside others it must speak of its own folder."""
    text = "path,label\none/x.png,a\none/gone.png,b\n"
    arrived(tmp_path, "one", text, files=["x.png"])
    assert table.read(tmp_path)["image"].tolist() == ["one/x.png", "one/gone.png"]
    arrived(tmp_path, "two", "path,label\nx.png,a\n", files=["x.png"])
    words = "one/labels.csv lists 2 images, of which not one is in .*one: bring them, and write"
    with pytest.raises(ValueError, match=words):
        table.read(tmp_path)


def test_images_of_an_arrival_may_lie_in_an_archive_packed_or_as_it_came(tmp_path):
    text = "path,label\nset.zip/a/1.png,x\nloose/2.png,y\n"
    arrived(tmp_path, "one", text)
    for name, member in (("set.zip", "a/1.png"), ("images-001.zip", "loose/2.png")):
        with zipfile.ZipFile(tmp_path / "one" / name, "w") as file:
            file.writestr(member, b"")
    result = table.read(tmp_path)
    assert result["image"].tolist() == ["one/set.zip/a/1.png", "one/images-001.zip/loose/2.png"]
    assert set(result["image"]) <= set(archives.members(tmp_path))


def test_a_label_that_another_table_has_is_unknown_where_each_label_has_a_column(tmp_path):
    arrived(tmp_path, "one", "path,label:a,label:b\n1.png,1,0\n", files=["1.png"])
    arrived(tmp_path, "two", "path,label:c,label:a\n1.png,0,1\n", files=["1.png"])
    arrived(tmp_path, "zero", "path,label\n1.png,none\n2.png,d\n", files=["1.png"])
    nan = np.nan
    assert same(labels(table.read(tmp_path)), {
        "a": [1, 1, 0, 0], "b": [0, nan, 0, 0], "c": [nan, 0, 0, 0], "d": [nan, nan, 0, 1],
    })  # fmt: skip


def test_faulty_rows_of_an_arrival_are_named_with_its_file(tmp_path):
    arrived(tmp_path, "one", "path,label\n1.png,a\n", files=["1.png"])
    arrived(tmp_path, "two", "path,label,sex\n../one/1.png,a,Q\n", files=["1.png"])
    words = r"two/labels.csv has 2 faulty rows: row 2: path '../one/1.png' leaves .*; row 2: sex"
    with pytest.raises(ValueError, match=words):
        table.read(tmp_path)


def test_an_image_that_two_tables_list_is_refused(tmp_path):
    (tmp_path / "labels.csv").write_text("path,label\n0.png,a\none/1.png,a\none/2.png,b\n")
    text = "path,label\n3.png,a\n2.png,b\n1.png,a\n"
    arrived(tmp_path, "one", text, files=["1.png", "2.png", "3.png"])
    words = (
        "one/labels.csv has 2 faulty rows: row 3: one/2.png stands in row 4 of labels.csv already; "
        "row 4: one/1.png stands in row 3 of labels.csv already. Cure: keep each image in one"
    )
    with pytest.raises(ValueError, match=words):
        table.read(tmp_path)


def test_an_arrival_has_one_table(tmp_path):
    arrived(tmp_path, "one", "path,label\n1.png,a\n", files=["1.png", "notes.csv"])
    assert len(table.read(tmp_path)) == 1
    (tmp_path / "one" / "labels.csv.gz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"one has 2 CSV files .*and keep it once"):
        table.read(tmp_path)


def test_other_tables_at_the_top_are_told_apart_as_without_arrivals(tmp_path):
    arrived(tmp_path, "one", "path,label\n1.png,a\n", files=["1.png"])
    (tmp_path / "list.csv").write_text("path,label\n0.png,b\n")
    assert table.read(tmp_path)["image"].tolist() == ["0.png", "one/1.png"]
    (tmp_path / "more.csv").write_text("")
    with pytest.raises(ValueError, match=r"2 CSV files \(list.csv, more.csv\): name the one"):
        table.read(tmp_path)
