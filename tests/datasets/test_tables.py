"""Tests of cxr.datasets._tables: what is read, by which line, and what is refused with its row."""

from __future__ import annotations

import gzip
import zipfile

import pytest

from cxr import archives
from cxr.datasets import _tables


@pytest.fixture(autouse=True)
def _close_archives():
    yield
    archives.close()


def read(root, content, name="t.csv", **options):
    (root / name).write_bytes(content)
    return _tables.read(root, name, **options)


def test_cells_stay_the_text_they_are(tmp_path):
    table = read(tmp_path, b"id,age,note\n007,NA,\n8, 1.50 ,nan\n")
    assert table.to_dict("list") == {
        "id": ["007", "8"], "age": ["NA", " 1.50 "], "note": ["", "nan"],
    }  # fmt: skip
    assert table.index.tolist() == [2, 3]


def test_rows_are_known_by_the_line_where_they_begin(tmp_path):
    content = b'a,b\n1,"two\nlines"\n\n,\n2,"x\r\ny"\n3,z'
    table = read(tmp_path, content)
    assert table["a"].to_dict() == {2: "1", 6: "2", 8: "3"}
    assert table["b"][2] == "two\nlines"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfa,b\n1,2\n",  # BOM, as Excel writes it
        b"a,b\r\n1,2\r\n",
        b"a,b\r1,2\r",
        b" a , b \n1,2",
        b'"a","b"\n"1","2"\n',
        b"a,b,,\n1,2\n",  # the header of BBox_List_2017.csv has more columns than its rows
        b"a,b,\n1,2,\n",
        b",a,b\n0,1,2\n",  # pandas' own row number, a column without a name
        b"a,b\n1,2\n,\n , \n",
    ],
)
def test_spellings_of_one_table_are_the_same(tmp_path, content):
    table = read(tmp_path, content, columns=("b", "a"))
    assert table.to_dict("list") == {"a": ["1"], "b": ["2"]}
    assert table.index.tolist() == [2]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.tsv", b"a\tb\n1\tx,y\n"),
        ("t.txt", b"a\tb\n1\tx,y\n"),
        ("t.txt", b'a,b\n1,"x,y"\n'),
        ("t.CSV", b'a,b\n1,"x,y"\n'),
    ],
)
def test_every_kind_is_read_packed_and_in_archives(tmp_path, name, content):
    expected = [{"a": "1", "b": "x,y"}]
    assert read(tmp_path, content, name).to_dict("records") == expected
    assert read(tmp_path, gzip.compress(content), f"{name}.gz").to_dict("records") == expected
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.writestr(f"inner/{name}.gz", gzip.compress(content))
    table = _tables.read(tmp_path, f"set.zip/inner/{name}.gz")
    assert table.to_dict("records") == expected
    assert _tables.is_table(f"{name}.gz") and not _tables.is_table("t.csv.zip")


def test_lines_that_are_not_utf8_take_the_fallback_alone(tmp_path):
    content = "a,b\n1,38.5°C\n".encode() + b"2,38.5\xb0C\n3,x\n"
    with pytest.raises(ValueError, match=r"t\.csv: row 3 is not utf-8 \(byte b'\\xb0'\): save it"):
        read(tmp_path, content)
    table = read(tmp_path, content, fallback="cp1252")
    assert table["b"].tolist() == ["38.5°C", "38.5°C", "x"]
    with pytest.raises(ValueError, match="row 2 is not utf-8 or cp1252"):
        read(tmp_path, b"a,b\n1,\x81\n", fallback="cp1252")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: expected a header"),
        (b"\n\n", "is empty: expected a header"),
        (b",,\n1,2,3\n", "is empty: expected a header"),
        (b"a,b, a\n1,2,3\n", r"two columns 'a': rename or remove"),
        (b"x,y\n1,2\n", r"lacks the column 'a' and 'b': row 1, its header, has 'x', 'y'"),
        (b"a;b\n1;2\n", r"is separated by ';': save it as CSV"),
        (b"a\tb\n1\t2\n", r"is separated by '\\t': save it as CSV"),
        (b"a b\n1 2\n", r"lacks the column 'a' and 'b': .*another separator: save it as CSV"),
        (b"a,b\n1,2,3\n1,2\n4\n", r"2 faulty rows: row 2: 3 cells, the header has 2; row 4: 1 cells.*Cure"),
        (b"a,b\n1,\x002\n", "no text: row 2 holds a zero byte: save it"),
        ("a,b\n1,2\n".encode("utf-16"), "is UTF-16: save it as CSV"),
        (b'a,b\n1,2\n3,"open\n4,5\n', r"row 3 is no CSV .*close its quotes"),
        (b'a,b\n1,"x"y\n', "row 2 is no CSV"),
        (b"a,b\n1," + b"x" * 200_000 + b"\n", "row 2 is no CSV"),
        (b"a,b\n1," + b"x" * 2**20 + b"\n", "row 2 has more than 1048576 bytes: is it a table"),
        (b"a,b" + b",c%d" * 1000 % (*range(1000),), "its header, has 1002 columns, more than 1000: leave out"),
    ],
)  # fmt: skip
def test_faulty_table_is_named_with_row_and_cure(tmp_path, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        read(tmp_path, content, columns=("a", "b"))
    assert str(tmp_path / "t.csv") in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(b"a,b\n" * 100)[:-12], gzip.compress(b"a,b\n")[:-4] + b"xxxx"],
)
def test_damaged_gzip_is_named(tmp_path, content):
    with pytest.raises(ValueError, match=r"t\.csv\.gz is damaged .*download"):
        read(tmp_path, content, "t.csv.gz")


def test_what_unpacks_to_more_than_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_tables, "LIMIT_BYTES", 1000)
    with pytest.raises(ValueError, match="more than 1000 bytes: no table is that large"):
        read(tmp_path, gzip.compress(b"a,b\n" + b"1,2\n" * 10_000), "t.csv.gz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n" + b"1,2\n" * 11, "has more than 10 rows or 100 cells: .*divide it into sets"),
        (b"a,b\n" + b"1\n" * 11, "has more than 10 rows"),
        (b",".join(b"c%d" % i for i in range(60)) + b"\n" + (b"1," * 59 + b"1\n") * 2, "or 100 cells"),
        (b"a,b\n" + b"\n" * 50, "has more than 40 lines: take out those that are empty"),
    ],
)  # fmt: skip
def test_table_longer_than_any_set_is_refused(tmp_path, monkeypatch, content, message):
    monkeypatch.setattr(_tables, "MOST_ROWS", 10)
    monkeypatch.setattr(_tables, "MOST_CELLS", 100)
    assert len(read(tmp_path, b"a,b\n" + b"1,2\n" * 10)) == 10
    with pytest.raises(ValueError, match=message):
        read(tmp_path, content)


def test_missing_table_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"t\.csv is missing"):
        _tables.read(tmp_path, "t.csv")


def test_an_error_names_ten_rows_and_counts_the_others():
    _tables.refuse("t.csv", [], cure="none needed")
    with pytest.raises(ValueError) as caught:
        _tables.refuse("t.csv", [(i, "odd") for i in range(30, 1, -1)], cure="mend them")
    words = str(caught.value)
    assert words.startswith("t.csv has 29 faulty rows: row 2: odd; row 3: odd;")
    assert words.count("odd") == 10
    assert words.endswith("row 11: odd; and 19 more. Cure: mend them")
