"""A data set's folder, with the zip and tar archives in it taken as folders: one sorted list of members.

Nothing is ever unpacked: a member is read into memory, so a name that points outside the folder
can do no harm; it is refused all the same, because the archive is then not what it claims to be.
Each process keeps the archives it reads open; .tar.gz is read with restart points (cxr.gunzip).
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from cxr import gunzip

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
MEMBER_LIMIT_BYTES = 512 * 2**20
"""A 100-megapixel 16-bit colour image is larger than any X-ray; what is larger still is no image."""

_AGAIN = "download or make it again"
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError)


def members(root: Path) -> list[str]:
    """List every file below `root` by its path with `/`, archives taken as folders; sorted.

    Left out is what file managers leave behind: names that start with `.`, and `__MACOSX`.
    """
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder: expected the data set's files in it")
    found: list[str] = []
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        _check_name(name, where=str(root))
        if is_archive(name):
            found.extend(f"{name}/{inner}" for inner in _opened(path).names())
        else:
            found.append(name)
    return sorted(name for name in found if not _is_litter(name))


def read(root: Path, member: str) -> bytes:
    """Return the bytes of one member of `members(root)`; raise ValueError that names it."""
    _check_name(member, where=str(root))
    parts = member.split("/")
    for end in range(1, len(parts) + 1):
        path = root.joinpath(*parts[:end])
        if end < len(parts) and is_archive(path.name) and path.is_file():
            return _read_inner(path, "/".join(parts[end:]))
    path = root / member
    if not path.is_file():
        raise ValueError(f"{path} is missing: {_AGAIN}")
    _check_size(path.stat().st_size, str(path))
    return path.read_bytes()


def is_archive(name: str) -> bool:
    """Say whether a file of this name is taken as a folder."""
    return name.lower().endswith(SUFFIXES)


def without_suffix(name: str) -> str:
    """Return an archive's name without .zip, .tar, .tar.gz or .tgz."""
    for suffix in (".tar.gz", *SUFFIXES):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def close() -> None:
    """Close the archives that this process holds open."""
    while _open:
        _open.popitem()[1].close()


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below `folder`. A file may be a link (DVC's cache links); a folder may not."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink() and not path.is_file():
            raise ValueError(f"{path} is a link to a folder or to nothing: put the files there")
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


def _is_litter(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _check_name(name: str, *, where: str) -> None:
    """Refuse a member whose name is no plain relative path with `/`."""
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or "" in parts:
        raise ValueError(
            f"{where}: the member {name!r} is not a plain relative path; make the archive again"
        )
    if any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in name):
        raise ValueError(f"{where}: the name {name!r} is not readable UTF-8 text; rename the file")


def _check_size(size_bytes: int, name: str) -> None:
    if size_bytes > MEMBER_LIMIT_BYTES:
        raise ValueError(
            f"{name} has {size_bytes} bytes, more than the limit of {MEMBER_LIMIT_BYTES}: "
            "no X-ray is that large; take it out"
        )


def _read_inner(path: Path, name: str) -> bytes:
    try:
        return _opened(path).read(name)
    except KeyError:
        raise ValueError(f"{path} has no member {name!r}: {_AGAIN}") from None
    except _DAMAGE as error:
        raise ValueError(f"{path}/{name} is damaged ({error}): {_AGAIN}") from None


class _Archive(Protocol):
    """An open archive: its files' checked names and the bytes of one of them."""

    def names(self) -> list[str]: ...
    def read(self, name: str) -> bytes: ...
    def close(self) -> None: ...


_open: dict[tuple[int, str, int, int], _Archive] = {}
_MOST_OPEN = 32
atexit.register(close)


def _opened(path: Path) -> _Archive:
    """Return the archive at `path`, opened at most once by this process while it stays unchanged."""
    status = path.stat()
    # the process is part of the key: a forked child must not share its parent's file position
    key = (os.getpid(), str(path.resolve()), status.st_size, status.st_mtime_ns)
    if key not in _open:
        if len(_open) >= _MOST_OPEN:
            close()
        try:
            _open[key] = _Zip(path) if path.name.lower().endswith(".zip") else _Tar(path)
        except _DAMAGE as error:
            raise ValueError(f"{path} is damaged ({error}): {_AGAIN}") from None
    return _open[key]


class _Zip:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = zipfile.ZipFile(path)
        self._members: dict[str, zipfile.ZipInfo] = {}
        try:
            for member in self._file.infolist():
                self._take(member)
        except ValueError:
            self._file.close()
            raise

    def _take(self, member: zipfile.ZipInfo) -> None:
        name = member.filename
        _check_name(name.removesuffix("/"), where=str(self._path))
        if member.is_dir():
            return
        if stat.S_ISLNK(member.external_attr >> 16):
            raise ValueError(
                f"{self._path}: the member {name!r} is a link; put the file itself there"
            )
        if member.flag_bits & 1:
            raise ValueError(
                f"{self._path}: the member {name!r} is encrypted; make it without a password"
            )
        if name in self._members:
            raise ValueError(f"{self._path}: the member {name!r} stands twice; keep one of them")
        self._members[name] = member

    def names(self) -> list[str]:
        return list(self._members)

    def read(self, name: str) -> bytes:
        member = self._members[name]
        _check_size(member.file_size, f"{self._path}/{name}")
        return self._file.read(member)

    def close(self) -> None:
        self._file.close()


class _Tar:
    def __init__(self, path: Path) -> None:
        self._path = path
        with contextlib.ExitStack() as stack:
            file: BinaryIO = stack.enter_context(path.open("rb"))
            if not path.name.lower().endswith(".tar"):
                file = io.BufferedReader(gunzip.Gunzip(file))
            self._file = file
            self._members: dict[str, tuple[int, int]] = {}
            with tarfile.open(fileobj=file, mode="r:") as archive:
                for member in archive:
                    self._take(member)
                end = archive.offset
            # tarfile stops without a word at a broken header; a whole archive ends with a zero block
            file.seek(end)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError(f"it breaks off at byte {end}")
            self._closing = stack.pop_all()

    def _take(self, member: tarfile.TarInfo) -> None:
        name = member.name.removeprefix("./")
        if member.isdir():
            return
        _check_name(name, where=str(self._path))
        if not member.isreg() or member.sparse is not None:
            raise ValueError(f"{self._path}: the member {name!r} is a link or no plain file; put the file itself there")  # fmt: skip
        if name in self._members:
            raise ValueError(f"{self._path}: the member {name!r} stands twice; keep one of them")
        self._members[name] = (member.offset_data, member.size)

    def names(self) -> list[str]:
        return list(self._members)

    def read(self, name: str) -> bytes:
        start, size_bytes = self._members[name]
        _check_size(size_bytes, f"{self._path}/{name}")
        self._file.seek(start)
        content = self._file.read(size_bytes)
        if len(content) != size_bytes:
            raise EOFError("it breaks off inside this member")
        return content

    def close(self) -> None:
        self._closing.close()
