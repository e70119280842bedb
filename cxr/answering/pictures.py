"""The pictures that a path stands for: a file, all in a folder, all in an archive, read in place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cxr import archives, images


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Where a picture's file lies."""

    root: Path
    member: str
    """its path below the root, an archive taken as a folder"""
    asked: bool
    """named by itself: then it must be a picture"""

    @property
    def name(self) -> str:
        """What it is called in answers."""
        return str(self.root / self.member)

    def content(self) -> bytes:
        """Return the file's bytes; raise ValueError, or OSError, that names it."""
        return archives.read(self.root, self.member)


def listed(path: Path) -> list[Picture]:
    """Return the pictures of a path, sorted; raise ValueError if there is none.

    In folders and archives what is named like a picture counts, and what has no ending, as DICOM files
    often do. Raises OSError for what this user may not read.
    """
    root = path.absolute()
    if root.is_dir():
        return _all(root, archives.members(root), path)
    if not root.exists():
        raise ValueError(f"{path} is missing: name a file, a folder or an archive")
    if archives.is_archive(root.name):
        inside = [name for name in sorted(archives.places(root)) if not archives.is_litter(name)]
        return _all(root.parent, [f"{root.name}/{name}" for name in inside], path)
    return [Picture(root=root.parent, member=root.name, asked=True)]


def _all(root: Path, members: list[str], path: Path) -> list[Picture]:
    found = [Picture(root=root, member=name, asked=False) for name in members if _may_be(name)]
    if not found:
        raise ValueError(f"{path} holds no picture among its {len(members)} files: name another")
    return found


def _may_be(name: str) -> bool:
    return images.is_image(name) or "." not in name.rpartition("/")[2]
