"""The table of openings: test sets are recognised, results are told from new ones, lines only grow."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path

import pytest

from flows import openings, study
from tests.flows import judged, toy

LINE = dict.fromkeys(openings.COLUMNS, "") | {"study": "toy", "test": "t", "models": "a b"}


def write_splits(folder: Path, text: str) -> Path:
    (folder / "splits.csv").write_text(text, encoding="utf-8")
    return folder / "splits.csv"


def test_a_test_set_is_its_images_in_whatever_order_and_fold(tmp_path):
    wanted = (hashlib.sha256(judged.TEST.encode()).hexdigest()[:12], 3)
    one = 'image,group,fold_0,fold_1\nb.png,g,val,test\na.png,g,test,val\nc,g,train,val\n"é, d.png",g,test,train\n'
    other = 'image,fold_0\n"é, d.png",test\na.png,test\nc,train\nb.png,test\n'
    assert openings.test_set(write_splits(tmp_path, one)) == wanted
    assert openings.test_set(write_splits(tmp_path, other)) == wanted
    assert openings.test_set(write_splits(tmp_path, other.replace("c,train", "c,test"))) != wanted


def test_a_division_without_test_images_is_refused(tmp_path):
    path = write_splits(tmp_path, "image,group,fold_0\ntest,test,train\n")
    with pytest.raises(ValueError, match=r"no image is test in any fold: raise split\.fractions"):
        openings.test_set(path)


def test_results_are_those_of_the_lock_file(repository):
    found = openings.results(repository)
    reports = {
        name: (repository / f"reports/evaluate/{name}/metrics.json").read_bytes()
        for name in ("left", "right")
    }
    assert found == {
        name: hashlib.md5(content).hexdigest()[:12] for name, content in reports.items()
    }


def test_a_result_is_on_record_in_its_own_study_alone():
    rows = [LINE | {"results": ""}, LINE | {"results": "1 2"}]
    assert openings.unrecorded(rows, "toy", {"a": "1", "b": "2"}) == {}
    assert openings.unrecorded(rows, "toy", {"a": "2", "b": "2", "c": "1"}) == {"a": "2", "c": "1"}
    assert openings.unrecorded(rows, "other", {"a": "1"}) == {"a": "1"}
    assert openings.count(rows, "t") == 2
    assert openings.count(rows, "") == 0


def test_lines_are_added_and_none_is_changed(tmp_path):
    table = tmp_path / "test_openings.csv"
    assert openings.read(table) == []
    openings.append(LINE | {"opening": "1"}, table)
    before = table.read_bytes()
    openings.append(LINE | {"opening": "2"}, table)
    assert table.read_bytes() == before + b",,toy,,t,,a b,,2\n"
    assert before.startswith(b"date_utc,commit,study,seed,test,images,models,results,opening\n")
    assert [path.name for path in tmp_path.iterdir()] == ["test_openings.csv"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the first line must be date_utc,"),
        ("date_utc,commit,models\n", "the first line must be date_utc,"),
        (openings.text([LINE]) + "2026,abc\n", "line 3 has 2 of 9 cells: restore it from git"),
    ],
)
def test_a_broken_table_is_told_and_not_written_over(tmp_path, text, words):
    table = tmp_path / "test_openings.csv"
    table.write_text(text)
    with pytest.raises(ValueError, match=words):
        openings.append(LINE, table)
    assert table.read_text() == text


def test_the_committed_table_is_as_it_would_be_written():
    """Ordered in time, numbered for each test set, of studies that are there."""
    table = toy.ROOT / openings.TABLE
    rows = openings.read(table)
    assert table.read_bytes() == openings.text(rows).encode()
    dates = [row["date_utc"] for row in rows]
    assert dates == sorted(dates) and rows
    assert {path.parent.name for path in (toy.ROOT / study.STUDIES).glob("*/study.yaml")} >= {
        row["study"] for row in rows
    }
    seen: Counter[str] = Counter()
    for row in rows:
        assert re.fullmatch(r"[0-9a-f]{40}", row["commit"])
        assert re.fullmatch(r"[0-9a-f]{12}", row["test"])
        assert row["results"] == "" or len(row["results"].split()) == len(row["models"].split())
        seen[row["test"]] += 1
        assert int(row["opening"]) == seen[row["test"]]


def test_every_recorded_study_but_the_synthetic_one_has_its_line():
    from flows import pipeline, record

    rows = openings.read(toy.ROOT / openings.TABLE)
    locks = sorted((toy.ROOT / study.STUDIES).glob("*/record/dvc.lock"))
    assert locks
    for lock in locks:
        name = lock.parents[1].name
        assert pipeline.read_lock(lock.parent)
        if name != record.SYNTHETIC:
            assert openings.unrecorded(rows, name, openings.results(lock.parent)) == {}
