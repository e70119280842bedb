"""cache: what DVC's cache keeps because something names it, what may go, and raw data out of it.

`dvc gc` knows the lock files at the root of a checkout. The data of a study's record
(studies/<name>/record/dvc.lock) is named by no such file, whatever flags it is given, and a commit
whose dvc.yaml does not resolve stops it. So every lock file and pointer is read here, of every
branch, remote-tracking branch, tag and other ref of git, and of every checkout as it lies on the
disk; the rest goes. Remotes are never touched.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import guard_data, pipeline, repository

if TYPE_CHECKING:
    from dvc.repo import Repo

# By pattern, so that a lock file that no YAML reader takes (a merge gone wrong) keeps its data too.
_MD5 = re.compile(r"""\bmd5["']?:\s*["']?([0-9a-f]{32}(?:\.dir)?)\b""")
_COMMIT = re.compile(r'"commit": "([0-9a-f]{40})"')
_RECORD = "/record/record.json"
_FILES = ("**/dvc.lock", "**/*.dvc", f"**{_RECORD}")


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What went from the cache, or would."""

    objects: int
    size: int
    """bytes that the disk gets back: what a checkout still links to is not among them"""


def _there(root: Path) -> list[Path]:
    """Return every checkout of the repository that is there, the first one first."""
    return [folder for folder in repository.worktrees(root=root) if folder.is_dir()]


def named(root: Path = pipeline.HERE) -> set[str]:
    """Return the hashes that something names: the files of a folder are not among them."""
    texts = [*_committed(root), *_on_disk(root)]
    return {md5 for text in texts for md5 in _MD5.findall(text)}


def _committed(root: Path) -> Iterator[str]:
    """Yield each lock file, pointer and record of every ref and every checkout's HEAD, once."""
    tips = repository.git("rev-list", "--no-walk", "--all", root=root).split()
    blobs: dict[str, str] = {}
    for commit in tips:
        blobs |= _blobs(root, commit)
    commits = set()
    for path, blob in [(path, blob) for blob, path in blobs.items()]:
        text = repository.git("cat-file", "blob", blob, root=root)
        if path.endswith(_RECORD):
            commits |= set(_COMMIT.findall(text))
        yield text
    for blob in _pointers(root, sorted(commits)):
        yield repository.git("cat-file", "blob", blob, root=root)


def _pointers(root: Path, commits: Iterable[str]) -> list[str]:
    """Return the pointers that any commit ever held, and these commits, which no branch may hold any more.

    Whatever else is gone can be made again, raw data cannot.
    """
    there = []
    for commit in commits:
        with contextlib.suppress(ValueError):
            there.append(repository.commit(commit, root=root))
    words = ("log", "--all", *there, "--format=", "--raw", "--no-abbrev", "--full-history", "-m",
             "--no-renames", "--", "*.dvc")  # fmt: skip
    lines = repository.git(*words, root=root).splitlines()
    blobs = {line.split()[3] for line in lines if line.startswith(":")}
    return sorted(blob for blob in blobs if set(blob) != {"0"})


def _blobs(root: Path, commit: str) -> dict[str, str]:
    """Return {blob: path} of a commit's lock files, pointers and records."""
    lines = repository.git("ls-tree", "-r", "-z", commit, root=root).split("\0")
    found = (line.split("\t", 1) for line in lines if line.endswith(("dvc.lock", ".dvc", _RECORD)))
    return {about.split()[2]: path for about, path in found}


def _on_disk(root: Path) -> Iterator[str]:
    """Yield each lock file, pointer and record as the checkouts have them, ignored ones too."""
    for folder in _there(root):
        patterns = [f":(glob){pattern}" for pattern in _FILES]
        words = repository.git("ls-files", "-z", "-c", "-o", "--", *patterns, root=folder)
        for path in sorted({*words.split("\0")} - {""}):
            if (folder / path).is_file():
                yield (folder / path).read_text(encoding="utf-8", errors="replace")


def collect(root: Path = pipeline.HERE, *, before: float, dry: bool) -> Collected:
    """Remove from the cache what nothing names, or with `dry` only say how much that is.

    What came, or was linked to a checkout, after `before` (seconds since 1970) stays. DVC's lock of
    every checkout is held meanwhile. Raises pipeline.Locked where another run holds one, and
    ValueError for a cache that lies outside the repository: others may use it.
    """
    folders = _there(root)
    with contextlib.ExitStack() as held:
        repos = [
            held.enter_context(_alone(folder)) for folder in folders if (folder / ".dvc").is_dir()
        ]
        store = _own_cache(repos[0], folders)
        here = sorted(store.all())
        kept = _with_contents({*named(root), *_young(here, store, before)}, store)
        unnamed = [md5 for md5 in here if md5 not in kept]
        found = Collected(
            objects=len(unnamed), size=_freed(Path(store.oid_to_path(md5)) for md5 in unnamed)
        )
        if _there(root) != folders:
            raise pipeline.Locked("a checkout came or went meanwhile: try again")
        # listings first: one that is there promises its files
        for md5 in [] if dry else sorted(unnamed, key=lambda md5: not md5.endswith(".dir")):
            store.delete(md5)
    return found


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[Repo]:
    """Hold DVC's lock of a checkout; raise pipeline.Locked if another holds it, or a stage runs there."""
    from dvc.lock import LockError
    from dvc.repo import Repo, lock_repo

    with contextlib.ExitStack() as held:
        repo = held.enter_context(contextlib.closing(Repo(str(folder))))
        try:
            held.enter_context(lock_repo(repo))
        except LockError:
            raise pipeline.Locked(f"another DVC works in {folder}: try again") from None
        # DVC gives its lock away while a stage runs, and holds single paths by a file of its own
        if words := working(folder):
            raise pipeline.Locked(f"{words} is at work in {folder}: try again")
        yield repo


def working(folder: Path) -> str:
    """Say which command of DVC holds paths of this checkout; nothing if none that lives does."""
    path = folder / ".dvc/tmp/rwlock"
    try:
        tree = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError:
        return f"DVC, which just writes {path},"
    entries = [*tree.get("write", {}).values()]
    entries += [entry for readers in tree.get("read", {}).values() for entry in readers]
    for entry in entries:
        if _lives(int(entry["pid"])):
            return f"`{entry['cmd']}` (process {entry['pid']})"
    return ""


def _lives(process: int) -> bool:
    """Tell whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def _own_cache(repo: Repo, folders: Sequence[Path]) -> Any:
    """Return the object store of the cache; raise ValueError if it is not the repository's own."""
    store = repo.cache.local
    path = Path(store.path).resolve()
    if not any(path.is_relative_to((folder / ".dvc").resolve()) for folder in folders):
        raise ValueError(
            f"DVC's cache {path} lies outside this repository: others may use it, so nothing is "
            "removed; collect there by hand with `dvc gc --projects`"
        )
    return store


def _young(hashes: Iterable[str], store: Any, before: float) -> list[str]:
    """Return those that came or were linked to after a time: the clock of a file's metadata tells."""
    return [md5 for md5 in hashes if Path(store.oid_to_path(md5)).lstat().st_ctime > before]


def _with_contents(hashes: Iterable[str], store: Any) -> set[str]:
    """Return the hashes, and those of the files in the folders among them whose listing is there."""
    found = set(hashes)
    for md5 in sorted(found):
        path = Path(store.oid_to_path(md5))
        if md5.endswith(".dir") and path.exists():
            found |= {file["md5"] for file in json.loads(path.read_text(encoding="utf-8"))}
    return found


def _freed(paths: Iterable[Path]) -> int:
    """Return the bytes of files that have no other name."""
    found = (path.lstat() for path in paths)
    return sum(about.st_size for about in found if about.st_nlink == 1)


def bring(pointers: Sequence[Path], checkout: Path, *, of: Path) -> str:
    """Bring what these pointers of a checkout name out of the cache of `of`, or off its remote.

    Returns why not, in a line; nothing where all is there. The checkout's own cache is left out.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    with contextlib.closing(Repo(str(of))) as repo:
        settings = {
            "cache": {"dir": repo.cache.local_cache_dir},
            "remote": {name: dict(about) for name, about in repo.config["remote"].items()},
        }
        if (default := repo.config["core"].get("remote")) is not None:
            settings["core"] = {"remote": default}
    targets = sorted(str(pointer.resolve()) for pointer in pointers)
    with contextlib.closing(Repo(str(checkout), config=settings)) as repo:
        try:
            guard_data.check(repo, guard_data.of_pointers(repo, pointers))
            with contextlib.suppress(DvcException):  # the cache lacks some: the remote may not
                repo.checkout(targets=targets)
                return ""
            repo.pull(targets=targets)
        except (DvcException, OSError, pipeline.Unreachable) as error:
            return " ".join(str(error).split()) or type(error).__name__
    return ""
