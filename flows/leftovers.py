"""leftovers: folders that runs leave behind, and whether they may go.

Worktrees in `.worktrees/`, clones of audits and verifications in the system's folder for temporary
files, stages' work in progress in data/.scratch (cxr/scratch.py writes it), files half written. What
was touched less than some days ago stays, and what a living process uses: one that works in it, has
a file in it open or names it on its command line. A worktree that is on a branch, or that git was told
to lock, is somebody's and stays.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flows import cache, checkouts, pipeline, repository

SCRATCH = Path("data/.scratch")
HALF_WRITTEN = ".*.partial"
"""As cxr/artifacts.py and flows/files.py name what is not whole yet."""
_CLONES = "cxrepro-*"
PROCESSES = Path("/proc")


@dataclass(frozen=True, kw_only=True)
class Left:
    """Something that is old enough to go."""

    kind: str
    path: Path
    size: int
    """bytes that the disk gets back"""
    why_not: str = ""
    """why it stays; empty if it goes"""


def sweep(before: float, *, dry: bool, root: Path = pipeline.HERE) -> list[Left]:
    """Remove what nobody touched after `before`, in seconds since 1970, and return it with what stays.

    With `dry` nothing is removed.
    """
    return [
        *_worktrees(before, dry, root),
        *_each("temporary clone", _clones(), before, dry),
        *_scratch(before, dry, root),
        *_each("half-written file", _half_written(root), before, dry),
    ]


def _worktrees(before: float, dry: bool, root: Path) -> Iterator[Left]:
    """Sweep the worktrees, half-made ones too."""
    folders = sorted(path for path in (root / checkouts.FOLDER).glob("*") if path.is_dir())
    yield from _each(
        "worktree",
        folders,
        before,
        dry,
        remove=lambda path: checkouts.remove(path, root=root),
        owner=_owner,
    )


def _owner(folder: Path) -> str:
    """Say whose a worktree is; nothing if it is a run's, which is on no branch."""
    if not (folder / ".git").exists():
        return ""
    try:
        kept = repository.git("rev-parse", "--git-path", "locked", root=folder).strip()
        branch = repository.git("branch", "--show-current", root=folder).strip()
    except ValueError:
        return ""  # git no longer knows it
    if (folder / kept).exists():
        return "it is locked (`git worktree unlock`)"
    return f"it is on branch {branch}" if branch else ""


def _clones() -> list[Path]:
    """Return what runs of this user left in the folder for temporary files."""
    found = sorted(Path(tempfile.gettempdir()).glob(_CLONES))
    return [path for path in found if path.lstat().st_uid == os.getuid()]


def _scratch(before: float, dry: bool, root: Path) -> Iterator[Left]:
    """Sweep the work in progress, one entry of a stage's folder at a time."""
    kind = "work in progress"
    folders = sorted(path for path in (root / SCRATCH).glob("*") if path.is_dir())
    entries = [entry for folder in folders for entry in sorted(folder.iterdir())]
    words = cache.working(root)
    why_not = f"{words} is at work" if words else ""
    yield from _each(kind, entries, before, dry, owner=lambda path: why_not)
    for folder in folders:
        if not dry and not words and not any(folder.iterdir()):
            folder.rmdir()


def _half_written(root: Path) -> list[Path]:
    """Return what a writer left that was killed before it could rename it."""
    found = [path for name in ("data", "reports") for path in (root / name).rglob(HALF_WRITTEN)]
    return sorted(path for path in found if SCRATCH not in path.relative_to(root).parents)


def _each(
    kind: str,
    paths: Iterable[Path],
    before: float,
    dry: bool,
    *,
    remove: Callable[[Path], None] | None = None,
    owner: Callable[[Path], str] = lambda path: "",
) -> Iterator[Left]:
    """Remove each of the old paths that nobody owns or uses."""
    for path in paths:
        try:
            if touched(path) > before:
                continue
            why_not, bytes_in_it = owner(path) or user(path), size(path)
        except FileNotFoundError:  # it, or something in it, goes by itself: somebody is at work
            continue
        found = Left(kind=kind, path=path, size=bytes_in_it, why_not=why_not)
        if not why_not and not dry:
            (remove or _remove)(path)
            if path.exists():
                found = Left(kind=kind, path=path, size=0, why_not="it can't be removed")
        yield found


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def touched(path: Path) -> float:
    """Return when anything in it was last written, in seconds since 1970.

    DVC's own folder tells nothing: `cache.collect` itself leaves a lock in that of each worktree.
    """
    found = (each for each in _all(path) if ".dvc" not in each.relative_to(path).parts)
    return max(each.lstat().st_mtime for each in found)


def size(path: Path) -> int:
    """Return the bytes of the files in it that have no other name: a cache's own copy stays."""
    found = [each.lstat() for each in _all(path)]
    return sum(about.st_size for about in found if about.st_nlink == 1)


def _all(path: Path) -> Iterator[Path]:
    """Yield the path and all that is in it; links are not followed."""
    yield path
    if path.is_dir() and not path.is_symlink():
        for folder, folders, names in os.walk(path):
            yield from (Path(folder, name) for name in [*folders, *names])


def user(path: Path) -> str:
    """Say which living process uses a path; nothing if none does. Other users' processes tell nothing."""
    place = path.resolve()
    if not PROCESSES.is_dir():
        return f"this system has no {PROCESSES}, which would tell who uses it"
    for process in sorted(PROCESSES.glob("[0-9]*")):
        if process.name != str(os.getpid()) and (_works(process, place) or _named(process, place)):
            return f"process {process.name} uses it"
    return ""


def _works(process: Path, place: Path) -> bool:
    """Tell whether a process works in the place or has a file there open."""
    for link in (process / "cwd", process / "fd"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            links = sorted(link.iterdir()) if link.name == "fd" else [link]
            if any(_target(each).is_relative_to(place) for each in links):
                return True
    return False


def _target(link: Path) -> Path:
    """Return what a link names; a file that was just closed is no file."""
    try:
        return link.readlink()
    except FileNotFoundError:
        return Path()


def _named(process: Path, place: Path) -> bool:
    """Tell whether a process was started with the place among its words."""
    try:
        return os.fsencode(place) in (process / "cmdline").read_bytes()
    except OSError:
        return False
