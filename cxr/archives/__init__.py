"""A data set's folder, with the zip, tar and npz archives in it taken as folders: one sorted list of members.

Nothing is ever unpacked: a member is read into memory, so a name that points outside the folder
can do no harm; it is refused all the same, because the archive is then not what it claims to be.
Each process keeps the archives it reads open; .tar.gz is read with restart points (cxr.gunzip).
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from cxr.archives import _names
from cxr.archives._npz import Npz
from cxr.archives._tar import Index, Tar
from cxr.archives._zip import Zip

_PACK = re.compile(r"images-\d{3,}\.zip/")  # as flows/packing.py names them
PACKED_TAR = (".tar.gz", ".tgz")
SUFFIXES = (".zip", ".tar", *PACKED_TAR, ".npz")
_OTHER_KINDS = (".7z", ".rar", ".z01", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")


def members(root: Path) -> list[str]:
    """List every file below `root` by its path with `/`, archives taken as folders; sorted.

    Left out is what file managers leave behind: names that start with `.`, and `__MACOSX`.
    """
    found: list[str] = []
    for name in files(root):
        if is_archive(name):
            inside = _opened(root / name).places()
            if not inside:
                raise ValueError(f"{root / name} holds no file: {_names.AGAIN}, or take it out")
            found.extend(f"{name}/{inner}" for inner in inside)
        else:
            found.append(name)
    return sorted(name for name in found if not is_litter(name))


def files(root: Path) -> list[str]:
    """List the files below `root` by their paths with `/`, archives as the files they are; sorted."""
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder: expected the data set's files in it")
    names = sorted(path.relative_to(root).as_posix() for path in _files(root))
    for name in names:
        _names.check_name(name, where=str(root))
    return names


def read(root: Path, member: str) -> bytes:
    """Return the bytes of one member of `members(root)`; raise ValueError that names it."""
    _names.check_name(member, where=str(root))
    outer, inner = container(root, member)
    path = root / outer
    if inner:
        return _read_inner(path, inner)
    if not path.is_file():
        missing = "no plain file" if path.exists() else "missing"
        raise ValueError(f"{path} is {missing}: {_names.AGAIN}")
    _names.check_size(path.stat().st_size, str(path))
    return path.read_bytes()


def container(root: Path, member: str) -> tuple[str, str]:
    """Return the archive that holds `member` and its name there; a loose file and ""."""
    parts = member.split("/")
    for end in range(1, len(parts)):
        outer = "/".join(parts[:end])
        if is_archive(outer) and (root / outer).is_file():
            return outer, "/".join(parts[end:])
    return member, ""


def places(path: Path) -> dict[str, int]:
    """Return the members of one archive, each with its place in the order of reading."""
    return _opened(path).places()


def stream(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield each member of a tar with its bytes, in one pass; the archive's index is kept after it."""
    opened = Tar(path, index={})
    with contextlib.closing(opened), _names.named(path):
        for name, content in opened.stream():
            if not is_litter(name):
                yield name, content
    remember(path, opened.index)


def remember(path: Path, index: Index) -> None:
    """Let this process know the members of a tar without a pass over it."""
    _indexes[_key(path)] = index


def index(path: Path) -> Index | None:
    """Return where the members of a tar lie, for another process to remember; None of other archives."""
    opened = _opened(path)
    return opened.index if isinstance(opened, Tar) else None


def is_archive(name: str) -> bool:
    """Say whether a file of this name is taken as a folder."""
    return name.lower().endswith(SUFFIXES)


def unpacked(member: str) -> str:
    """Return the path of a member before `make data` packed loose images into images-001.zip, …."""
    return member.partition("/")[2] if _PACK.match(member) else member


def by_path(members: Iterable[str]) -> dict[str, str]:
    """Return {path before packing: member}, to find what a table names."""
    return {unpacked(member): member for member in members}


def is_unread(member: str) -> bool:
    """Say whether one of `members(root)` is an archive that nobody looks into: inside another, or of another kind."""
    return member.lower().endswith((*SUFFIXES, *_OTHER_KINDS))


def is_tar(name: str) -> bool:
    """Say whether an archive of this name is a tar, packed or not."""
    return name.lower().endswith((".tar", *PACKED_TAR))


def is_packed(name: str) -> bool:
    """Say whether an archive of this name is a packed tar, which can be read from its beginning only."""
    return name.lower().endswith(PACKED_TAR)


def without_suffix(name: str) -> str:
    """Return an archive's name without .zip, .tar, .tar.gz, .tgz or .npz."""
    for suffix in (".tar.gz", *SUFFIXES):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def close() -> None:
    """Close the archives that this process holds open."""
    while _open:
        _open.popitem()[1].close()


def is_litter(name: str) -> bool:
    """Say whether a file of this name is what a file manager leaves behind."""
    path = f"/{name}/"
    return "/." in path or "/__MACOSX/" in path


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below `folder`. A file may be a link (DVC's cache links); a folder may not."""
    todo = [folder]  # no recursion: folders may lie deeper than Python's stack
    while todo:
        path = todo.pop()
        if path.is_symlink() and not path.is_file() and path != folder:
            raise ValueError(f"{path} is a link to a folder or to nothing: put the files there")
        if path.is_dir():
            todo.extend(sorted(path.iterdir()))
        elif path.is_file():
            yield path
        else:  # to open one may wait for ever
            raise ValueError(f"{path} is a pipe, socket or device and no file: take it out")


def _read_inner(path: Path, name: str) -> bytes:
    archive = _opened(path)
    try:
        with _names.named(path, name):
            # an archive opened under another path (data/raw, or from the root of the disk) may be the same
            return archive.read(name, where=f"{path}/{name}")
    except KeyError:
        raise ValueError(f"{path} has no member {name!r}: {_names.AGAIN}") from None


class _Archive(Protocol):
    """An open archive: its files' checked names and the bytes of one of them."""

    def places(self) -> dict[str, int]: ...
    def read(self, name: str, *, where: str) -> bytes: ...
    def close(self) -> None: ...


_Key = tuple[int, str, int, int]
_open: dict[_Key, _Archive] = {}
_indexes: dict[_Key, Index] = {}
_MOST_OPEN = 32
atexit.register(close)


def _key(path: Path) -> _Key:
    status = path.stat()
    # the process is part of the key: a forked child must not share its parent's file position
    return os.getpid(), str(path.resolve()), status.st_size, status.st_mtime_ns


def _opened(path: Path) -> _Archive:
    """Return the archive at `path`, opened at most once by this process while it stays unchanged."""
    key = _key(path)
    if key not in _open:
        if len(_open) >= _MOST_OPEN:
            close()
        with _names.named(path):
            _open[key] = _open_it(path, _indexes.get(key))
    return _open[key]


def _open_it(path: Path, index: Index | None) -> _Archive:
    if is_tar(path.name):
        return Tar(path, index)
    return Npz(path) if path.suffix.lower() == ".npz" else Zip(path)
