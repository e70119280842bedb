"""Tests of cxr.archives: one sorted list, bytes by name, and what is refused."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cxr import archives, seeding


@pytest.fixture(autouse=True)
def _close_archives():
    yield
    archives.close()


def write_zip(path, members):
    """Write (name or ZipInfo, content) pairs."""
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members:
            file.writestr(name, content)


def write_tar(path, members, mode="w"):
    """Write (name or TarInfo, content) pairs."""
    with tarfile.open(path, mode) as file:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))


def test_folder_and_archives_are_one_sorted_list(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "file.txt").write_bytes(b"plain")
    write_zip(tmp_path / "a.zip", [("y/2.png", b"two"), ("y/", b""), ("x/1.png", b"one")])
    write_tar(tmp_path / "b" / "c.tar", [("./3.png", b"three")])
    write_tar(tmp_path / "d.tgz", [("4.png", b"four")], "w:gz")
    names = archives.members(tmp_path)
    assert names == ["a.zip/x/1.png", "a.zip/y/2.png", "b/c.tar/3.png", "b/file.txt", "d.tgz/4.png"]
    contents = [archives.read(tmp_path, name) for name in names]
    assert contents == [b"one", b"two", b"three", b"plain", b"four"]


def test_what_file_managers_leave_behind_is_passed_over(tmp_path):
    (tmp_path / ".gitignore").write_text("x")
    write_zip(
        tmp_path / "a.zip", [("__MACOSX/._1.png", b""), (".DS_Store", b""), ("1.png", b"one")]
    )
    assert archives.members(tmp_path) == ["a.zip/1.png"]


def test_a_folder_may_end_in_zip(tmp_path):
    (tmp_path / "a.zip").mkdir()
    (tmp_path / "a.zip" / "1.png").write_bytes(b"one")
    assert archives.members(tmp_path) == ["a.zip/1.png"]
    assert archives.read(tmp_path, "a.zip/1.png") == b"one"


def test_linked_file_is_read_and_linked_folder_refused(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    write_zip(tmp_path / "cache", [("1.png", b"one")])
    (root / "a.zip").symlink_to(tmp_path / "cache")
    assert archives.read(root, "a.zip/1.png") == b"one"
    (root / "sub").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="sub is a link to a folder or to nothing: put the files"):
        archives.members(root)


def zip_link():
    info = zipfile.ZipInfo("link.png")
    info.external_attr = 0o120777 << 16
    return info


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("../evil.png", "'../evil.png' is not a plain relative path"),
        ("/etc/evil.png", "'/etc/evil.png' is not a plain relative path"),
        ("a/../../evil.png", "is not a plain relative path"),
        ("a\\evil.png", "is not a plain relative path"),
        ("a\nb.png", "is not readable UTF-8 text; rename"),
        (zip_link(), "'link.png' is a link; put the file itself there"),
    ],
)
def test_zip_member_is_refused(tmp_path, member, message):
    write_zip(tmp_path / "bad.zip", [(member, b"x")])
    with pytest.raises(ValueError, match="bad.zip: .*" + message.replace("\\", "\\\\")):
        archives.members(tmp_path)


def test_zip_member_that_stands_twice_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        write_zip(tmp_path / "bad.zip", [("1.png", b"x"), ("1.png", b"y")])
    with pytest.raises(ValueError, match=r"bad.zip: the member '1.png' stands twice; keep one"):
        archives.members(tmp_path)


def test_encrypted_zip_member_is_refused(tmp_path):
    write_zip(tmp_path / "bad.zip", [("1.png", b"x")])
    content = bytearray((tmp_path / "bad.zip").read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1  # the flag in the central directory
    (tmp_path / "bad.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"'1.png' is encrypted; make it without a password"):
        archives.members(tmp_path)


def tar_member(kind):
    info = tarfile.TarInfo("link.png")
    info.type, info.linkname = kind, "other.png"
    return info


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("../evil.png", b"x")], "is not a plain relative path"),
        ([("/etc/evil.png", b"x")], "is not a plain relative path"),
        ([("1.png", b"x"), ("./1.png", b"y")], "'1.png' stands twice; keep one"),
        ([(tar_member(tarfile.SYMTYPE), b"")], "'link.png' is a link or no plain file"),
        ([(tar_member(tarfile.LNKTYPE), b"")], "'link.png' is a link or no plain file"),
        ([(tar_member(tarfile.FIFOTYPE), b"")], "'link.png' is a link or no plain file"),
    ],
)
def test_tar_member_is_refused(tmp_path, members, message):
    write_tar(tmp_path / "bad.tar", members)
    with pytest.raises(ValueError, match="bad.tar: .*" + message):
        archives.members(tmp_path)


def test_hard_link_within_a_tar_is_the_file_it_names(tmp_path):
    """Tar writes one where two names share an inode; a link that leads anywhere else is refused."""
    link = tar_member(tarfile.LNKTYPE)
    link.linkname = "./1.png"
    for name, mode in (("a.tar", "w"), ("b.tar.gz", "w:gz")):
        write_tar(tmp_path / name, [("1.png", b"one"), (link, b""), ("2.png", b"two")], mode)
        assert archives.read(tmp_path, f"{name}/link.png") == b"one"
        assert (
            archives.places(tmp_path / name)["link.png"]
            == archives.places(tmp_path / name)["1.png"]
        )


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_stream_is_one_pass_and_its_index_is_kept(tmp_path, monkeypatch, mode):
    path = tmp_path / ("a.tar" if mode == "w" else "a.tar.gz")
    sizes = (0, 1, 511, 512, 513, 100_000)
    members = [
        (f"{i}.png", seeding.stream(0, "noise", i).bytes(size)) for i, size in enumerate(sizes)
    ]
    write_tar(path, [*members, (".DS_Store", b"x")], mode)
    assert list(archives.stream(path)) == members
    index = archives.index(path)
    archives.close()
    archives.remember(path, index)
    monkeypatch.setattr(tarfile, "open", None)  # a second pass would need it
    assert [
        (name, archives.read(tmp_path, f"{path.name}/{name}")) for name, _ in members
    ] == members


def test_stream_of_a_truncated_tar_is_refused(tmp_path):
    write_tar(
        tmp_path / "a.tar.gz",
        [(f"{i}.png", seeding.stream(0, "n", i).bytes(3000)) for i in range(9)],
        "w:gz",
    )
    whole = (tmp_path / "a.tar.gz").read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"a.tar.gz is damaged .*download or make it again"):
        list(archives.stream(tmp_path / "a.tar.gz"))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_rows_of_an_npz_are_members(tmp_path, save):
    rng = seeding.stream(0, "rows")
    grey = rng.integers(0, 256, (12, 8, 9), dtype=np.uint8)
    colour = rng.integers(0, 256, (3, 8, 9, 3), dtype=np.uint8)
    save(tmp_path / "set.npz", train_images=grey, val_images=colour, train_labels=np.arange(12))
    names = archives.members(tmp_path)
    assert names[0] == "set.npz/train_images/000000"
    assert len(names) == 16 and names[12] == "set.npz/train_labels.npy"
    for row in (5, 6, 2, 11, 0):  # forward, back, to the end
        content = archives.read(tmp_path, f"set.npz/train_images/{row:06d}")
        buffer = io.BytesIO()
        np.save(buffer, grey[row])
        assert content == buffer.getvalue()
    row = np.load(io.BytesIO(archives.read(tmp_path, "set.npz/val_images/000002")))
    assert np.array_equal(row, colour[2])
    labels = np.load(io.BytesIO(archives.read(tmp_path, "set.npz/train_labels.npy")))
    assert np.array_equal(labels, np.arange(12))
    for name in ("train_images/000012", "train_images/12", "other/000000", "train_labels"):
        with pytest.raises(ValueError, match="has no member"):
            archives.read(tmp_path, f"set.npz/{name}")


def test_pickled_objects_in_an_npz_are_refused(tmp_path):
    np.savez(tmp_path / "bad.npz", a=np.array([{}, {}], dtype=object))
    with pytest.raises(ValueError, match="'a' holds pickled objects, which are never loaded"):
        archives.members(tmp_path)


def test_member_over_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives._names, "MEMBER_LIMIT_BYTES", 10)
    write_zip(tmp_path / "a.zip", [("1.png", bytes(11))])
    write_tar(tmp_path / "b.tar", [("1.png", bytes(11))])
    (tmp_path / "1.png").write_bytes(bytes(11))
    for name in archives.members(tmp_path):
        with pytest.raises(
            ValueError, match=r"has 11 bytes, more than the limit of 10: .*take it out"
        ):
            archives.read(tmp_path, name)


def test_zip_bomb_that_lies_about_its_size_is_not_blown_up(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("1.png", bytes(10_000_000))
    content = bytearray((tmp_path / "a.zip").read_bytes())
    place = content.index(b"PK\1\2") + 24  # the unpacked size in the central directory
    content[place : place + 4] = (100).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"a.zip/1.png is damaged .*download or make it again"):
        archives.read(tmp_path, "a.zip/1.png")


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_error_names_the_path_that_was_asked_for(tmp_path, monkeypatch, name):
    """Faults go into the manifest without the root: it must not be another one than the reader's."""
    monkeypatch.setattr(archives._names, "MEMBER_LIMIT_BYTES", 10)
    monkeypatch.chdir(tmp_path)
    (write_tar if name == "a.tar" else write_zip)(tmp_path / name, [("1.png", bytes(11))])
    archives.members(tmp_path.relative_to(tmp_path))
    with pytest.raises(ValueError, match=f"^{tmp_path / name}/1.png has 11 bytes"):
        archives.read(tmp_path, f"{name}/1.png")


def test_archive_without_a_file_is_refused(tmp_path):
    write_zip(tmp_path / "a.zip", [("folder/", b"")])
    with pytest.raises(ValueError, match=r"a.zip holds no file: .*or take it out"):
        archives.members(tmp_path)


def test_archives_that_nobody_looks_into_are_known():
    assert all(
        archives.is_unread(x) for x in ("a.zip/b.tar", "a.rar", "x/a.7z", "a.tar.xz", "a.z01")
    )
    assert not any(archives.is_unread(x) for x in ("a.zip/b.png", "a.csv.gz", "zip"))


def test_pipe_and_deep_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(1200):  # deeper than Python's stack
        os.mkdir("d")
        os.chdir("d")
    with open("1.png", "wb"):
        pass
    os.chdir(tmp_path)
    try:
        assert archives.members(Path()) == [f"{'d/' * 1200}1.png"]
    finally:  # pytest's own cleaning up would fail
        os.remove("d/" * 1200 + "1.png")
        os.removedirs("d/" * 1200)
    os.mkfifo("b.zip")
    with pytest.raises(ValueError, match=r"b.zip is a pipe, socket or device and no file: take it"):
        archives.members(Path())


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_truncated_archive_is_refused(tmp_path, name):
    members = [(f"{i}.png", seeding.stream(0, "noise", i).bytes(3000)) for i in range(9)]
    if name == "a.zip":
        write_zip(tmp_path / name, members)
    else:
        write_tar(tmp_path / name, members, "w:gz" if name.endswith("gz") else "w")
    whole = (tmp_path / name).read_bytes()
    for share in (0.0, 0.2, 0.5, 0.75):
        (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(ValueError, match=f"{name} is damaged .*download or make it again"):
            archives.members(tmp_path)


def test_tar_that_ends_at_a_header_is_refused(tmp_path):
    write_tar(tmp_path / "a.tar", [("1.png", bytes(512)), ("2.png", bytes(512))])
    whole = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[:1024])  # Python's tarfile lists this without a word
    with pytest.raises(ValueError, match=r"a.tar is damaged \(it breaks off at byte 1024\)"):
        archives.members(tmp_path)


def test_flipped_byte_in_a_zip_member_is_noticed(tmp_path):
    write_zip(tmp_path / "a.zip", [("1.png", b"contents")])
    whole = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(whole.replace(b"contents", b"c0ntents"))
    with pytest.raises(ValueError, match=r"a.zip/1.png is damaged \(Bad CRC-32"):
        archives.read(tmp_path, "a.zip/1.png")


def test_missing_members_are_named(tmp_path):
    write_zip(tmp_path / "a.zip", [("1.png", b"one")])
    with pytest.raises(ValueError, match=r"a.zip has no member '2.png'"):
        archives.read(tmp_path, "a.zip/2.png")
    with pytest.raises(ValueError, match=r"2.png is missing"):
        archives.read(tmp_path, "2.png")
    with pytest.raises(ValueError, match="is not a folder"):
        archives.members(tmp_path / "absent")


def test_an_archive_is_opened_once_until_it_changes(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(archives, "Zip", lambda path: opened.append(path) or _real_zip(path))
    write_zip(tmp_path / "a.zip", [(f"{i}.png", bytes([i])) for i in range(50)])
    names = archives.members(tmp_path)
    assert [archives.read(tmp_path, name)[0] for name in names] == sorted(range(50), key=str)
    assert len(opened) == 1
    write_zip(tmp_path / "a.zip", [("new.png", b"new")])
    assert archives.members(tmp_path) == ["a.zip/new.png"]
    assert len(opened) == 2


_real_zip = archives.Zip
