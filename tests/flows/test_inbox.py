"""The inbox: only whole arrivals are seen, the same bytes have the same hash, nothing is ever lost."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from flows import inbox
from flows.inbox import Arrival


def fill(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text)
    return folder


def test_what_is_still_written_is_left_alone(tmp_path: Path) -> None:
    for name in ("march", ".hidden", "april.partial"):
        fill(tmp_path / name, a="1")
    (tmp_path / "may.dvc").write_text("outs: []\n")
    (tmp_path / "note.txt").write_text("for people")
    (tmp_path / "link").symlink_to(tmp_path / "march")
    found = inbox.waiting(tmp_path, settle_s=0)
    assert [(x.name, x.path.name, x.is_pointer) for x in found] == [
        ("march", "march", False), ("may", "may.dvc", True),
    ]  # fmt: skip
    assert inbox.waiting(tmp_path, settle_s=60) == []
    with pytest.raises(ValueError, match="is no folder: make it"):
        inbox.waiting(tmp_path / "gone")


def test_a_file_deep_inside_that_changes_keeps_an_arrival_young(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fill(tmp_path / "march") / "images").mkdir()
    deep = tmp_path / "march/images/0.png"
    deep.write_text("x")
    os.utime(deep, (1, 1))  # as `rsync -t` sets the time of a file back
    now = deep.stat().st_ctime
    monkeypatch.setattr("time.time", lambda: now + 59)
    assert inbox.waiting(tmp_path) == []
    monkeypatch.setattr("time.time", lambda: now + 61)
    assert [arrival.name for arrival in inbox.waiting(tmp_path)] == ["march"]


def test_the_oldest_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = {"b": 3.0, "a": 5.0, "c": 3.0}
    for name in changed:
        fill(tmp_path / name)
    monkeypatch.setattr(inbox, "_changed", lambda path: changed[path.name])
    assert [arrival.name for arrival in inbox.waiting(tmp_path)] == ["b", "c", "a"]


def test_the_hash_is_that_of_sha256sum_and_knows_paths_and_bytes_alone(tmp_path: Path) -> None:
    one = fill(tmp_path / "one", b="2", a="1")
    (one / ".DS_Store").write_text("litter")
    sums = [
        f"{hashlib.sha256(text.encode()).hexdigest()}  {name}.txt\n" for name, text in ("a1", "b2")
    ]
    expected = hashlib.sha256("".join(sums).encode()).hexdigest()
    assert inbox.manifest(one) == expected
    assert inbox.manifest(fill(tmp_path / "two", a="1", b="2")) == expected
    assert inbox.manifest(fill(tmp_path / "three", a="1", c="2")) != expected
    assert inbox.manifest(fill(tmp_path / "four", a="1", b="3")) != expected


def test_a_link_counts_and_is_not_followed(tmp_path: Path) -> None:
    folder, secret = fill(tmp_path / "one", a="1"), tmp_path / "secret"
    plain = inbox.manifest(folder)
    secret.write_text("x")
    (folder / "b.txt").symlink_to(secret)
    first = inbox.manifest(folder)
    secret.write_text("y")
    assert inbox.manifest(folder) == first != plain


def test_a_name_that_no_table_could_hold_is_refused(tmp_path: Path) -> None:
    inbox.check_name(Arrival(name="2026-03_b.1", path=tmp_path, changed=0))
    for name in ("=cmd", "a b", "a,b", "ä", "x" * 101):
        with pytest.raises(ValueError, match="rename it"):
            inbox.check_name(Arrival(name=name, path=tmp_path / name, changed=0))


@pytest.mark.parametrize(
    ("outcome", "folder"),
    [
        ("promoted", "taken"), ("rejected", "rejected"), ("undecided", "rejected"),
        ("quarantined", "quarantined"),
    ],
)  # fmt: skip
def test_an_arrival_moves_beside_the_inbox_with_what_was_found(
    tmp_path: Path, outcome: str, folder: str
) -> None:
    fill(tmp_path / "inbox/march", a="1")
    (arrival,) = inbox.waiting(tmp_path / "inbox", settle_s=0)
    place = inbox.put_away(arrival, outcome, "0123456789" * 6, {"findings.csv": "finding\n"})
    assert place == tmp_path / folder / "march-01234567"
    assert (place / "a.txt").read_text() == "1"
    assert (tmp_path / folder / "march-01234567.findings.csv").read_text() == "finding\n"
    assert list((tmp_path / "inbox").iterdir()) == []


def test_the_same_data_twice_are_both_kept(tmp_path: Path) -> None:
    places = []
    for _ in range(2):
        (tmp_path / "inbox").mkdir(exist_ok=True)
        (tmp_path / "inbox/march.dvc").write_text("outs: []\n")
        (arrival,) = inbox.waiting(tmp_path / "inbox", settle_s=0)
        places.append(inbox.put_away(arrival, "promoted", "a" * 64, {}).name)
    assert places == ["march-aaaaaaaa.dvc", "march-aaaaaaaa-2.dvc"]


def test_an_inbox_on_a_disk_of_its_own_is_copied_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def across(path: Path, target: Path) -> Path:
        if path.parent.name == "inbox":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(path, target)

    fill(tmp_path / "inbox/march", a="1")
    (arrival,) = inbox.waiting(tmp_path / "inbox", settle_s=0)
    monkeypatch.setattr(Path, "rename", across)
    place = inbox.put_away(arrival, "promoted", "a" * 64, {})
    assert [path.name for path in sorted(place.parent.iterdir())] == [place.name]
    assert (place / "a.txt").read_text() == "1" and not arrival.path.exists()


def test_the_command_lists_what_waits(tmp_path: Path, monkeypatch, capsys) -> None:
    folder = fill(tmp_path / "march", a="1")
    (tmp_path / "may.dvc").write_text("outs: []\n")
    monkeypatch.setattr("sys.argv", ["inbox", str(tmp_path), "--settle-s", "0"])
    inbox.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"march: {inbox.manifest(folder)}", "may: on the DVC remote"]
