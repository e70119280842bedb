"""Tests of cxr.intake: every container gives the same facts, and what is known is not read again."""

from __future__ import annotations

import hashlib
import shutil

import numpy as np
import pytest

from cxr import archives, intake
from cxr.intake import blocks, facts
from tests.intake import pictures

KINDS = ("zip", "tar", "tar.gz", "loose")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of a few images, one process, and archives closed behind each test."""
    monkeypatch.setattr(blocks, "_ONE_IN", 4)
    monkeypatch.setenv("CXR_WORKERS", "1")
    yield
    archives.close()


@pytest.fixture
def looked_at(monkeypatch):
    """The names of the images that were examined."""
    names: list[str] = []
    examine = facts.examine
    monkeypatch.setattr(
        facts, "examine", lambda content, *, name: names.append(name) or examine(content, name=name)
    )
    return names


def take(root, names, kept):
    keep = intake.Keep(kept)
    intake.stream_packed(root, keep)
    archives.members(root)
    return intake.take_in(root, names, keep)


@pytest.mark.parametrize("kind", KINDS)
def test_every_container_gives_the_same_facts(tmp_path, kind):
    names = pictures.fill(tmp_path / "raw", kind, range(30))
    order = [names[i] for i in (7, 0, 29, 13)]  # and in the order that is asked for
    table, thumbnails = take(tmp_path / "raw", order, tmp_path / "kept")
    for row, i in enumerate((7, 0, 29, 13)):
        assert table["sha256"][row] == hashlib.sha256(pictures.png(i)).hexdigest()
        alone = facts.examine(pictures.png(i), name="x")
        assert np.array_equal(thumbnails[row], alone[1])
        assert table.iloc[row].to_dict() == alone[0]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_known_is_not_read_again(tmp_path, kind, looked_at, monkeypatch):
    names = pictures.fill(tmp_path / "raw", kind, range(30))
    first = take(tmp_path / "raw", names, tmp_path / "kept")
    assert sorted(looked_at) == names
    looked_at.clear()
    archives.close()
    monkeypatch.setattr(archives, "stream", None)
    again = take(tmp_path / "raw", names, tmp_path / "kept")
    assert looked_at == []
    assert again[0].equals(first[0]) and np.array_equal(again[1], first[1])


def test_a_new_archive_costs_what_it_holds_and_the_bytes_are_those_of_a_full_run(
    tmp_path, looked_at
):
    old = pictures.fill(tmp_path / "raw" / "x", "tar.gz", range(30))
    old = [f"x/{name}" for name in old]
    take(tmp_path / "raw", old, tmp_path / "kept")
    looked_at.clear()
    new = [f"y/{name}" for name in pictures.fill(tmp_path / "raw" / "y", "zip", range(30, 35))]
    table, thumbnails = take(tmp_path / "raw", old + new, tmp_path / "kept")
    assert sorted(looked_at) == new
    full = take(tmp_path / "raw", old + new, tmp_path / "nothing kept")
    assert full[0].equals(table) and np.array_equal(full[1], thumbnails)


def test_a_loose_image_that_is_added_or_changed_moves_only_its_block(tmp_path, looked_at):
    names = pictures.fill(tmp_path / "raw", "loose", range(200))
    take(tmp_path / "raw", names, tmp_path / "kept")
    looked_at.clear()
    (tmp_path / "raw" / "0077.png").write_bytes(pictures.png(999))
    names = sorted([*names, *pictures.fill(tmp_path / "raw", "loose", [300])])
    table, _ = take(tmp_path / "raw", names, tmp_path / "kept")
    assert {"0077.png", "0300.png"} <= set(looked_at) and len(looked_at) < 60
    assert table["sha256"][77] == hashlib.sha256(pictures.png(999)).hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_records_are_made_again(tmp_path, kind):
    names = pictures.fill(tmp_path / "raw", kind, range(30))
    first = take(tmp_path / "raw", names, tmp_path / "kept")
    files = sorted((tmp_path / "kept").glob("*"))
    for i, path in enumerate(files):
        if i % 3 == 0:
            path.write_bytes(path.read_bytes()[:-1])
        elif i % 3 == 1:
            path.unlink()
    archives.close()
    again = take(tmp_path / "raw", names, tmp_path / "kept")
    assert again[0].equals(first[0]) and np.array_equal(again[1], first[1])


def test_what_is_gone_is_forgotten(tmp_path):
    names = pictures.fill(tmp_path / "raw" / "x", "tar.gz", range(9))
    other = pictures.fill(tmp_path / "raw" / "y", "zip", range(9, 12))
    both = [f"x/{name}" for name in names] + [f"y/{name}" for name in other]
    take(tmp_path / "raw", both, tmp_path / "kept")
    many = len(list((tmp_path / "kept").iterdir()))
    shutil.rmtree(tmp_path / "raw" / "x")
    take(tmp_path / "raw", both[9:], tmp_path / "kept")
    few = sorted((tmp_path / "kept").iterdir())
    assert 2 <= len(few) < many
    take(tmp_path / "raw", both[9:], tmp_path / "fresh")
    assert [path.name for path in few] == sorted(p.name for p in (tmp_path / "fresh").iterdir())


def test_an_unreadable_member_is_a_fault_and_not_the_end(tmp_path):
    names = pictures.fill(tmp_path / "raw", "zip", range(3))
    path = tmp_path / "raw" / "a.zip"
    content = pictures.png(1)
    path.write_bytes(path.read_bytes().replace(content, content[:-20] + bytes(20)))
    table, thumbnails = take(tmp_path / "raw", names, tmp_path / "kept")
    assert table["fault"][1].startswith("a.zip/0001.png is damaged")
    assert (table["fault"][[0, 2]] == "").all() and not thumbnails[1].any()
    assert str(tmp_path) not in table["fault"][1]


def test_workers_change_no_byte(tmp_path, monkeypatch):
    names = pictures.fill(tmp_path / "raw", "zip", range(40))
    one = take(tmp_path / "raw", names, tmp_path / "one")
    monkeypatch.setenv("CXR_WORKERS", "2")
    monkeypatch.chdir(tmp_path)
    two = take(tmp_path / "raw", names, tmp_path / "two")
    assert one[0].equals(two[0]) and np.array_equal(one[1], two[1])
