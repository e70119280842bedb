"""Tests of cxr.archives: one sorted list, bytes by name, and what is refused."""

from __future__ import annotations

import io
import tarfile
import zipfile

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


def test_member_over_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MEMBER_LIMIT_BYTES", 10)
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
    monkeypatch.setattr(archives, "_Zip", lambda path: opened.append(path) or _real_zip(path))
    write_zip(tmp_path / "a.zip", [(f"{i}.png", bytes([i])) for i in range(50)])
    names = archives.members(tmp_path)
    assert [archives.read(tmp_path, name)[0] for name in names] == sorted(range(50), key=str)
    assert len(opened) == 1
    write_zip(tmp_path / "a.zip", [("new.png", b"new")])
    assert archives.members(tmp_path) == ["a.zip/new.png"]
    assert len(opened) == 2


_real_zip = archives._Zip
