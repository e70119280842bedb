"""sides: one of two commits under review, taken out of git into a folder: pipeline, parameters, reports, code.

Only regular files come out, and only below the folder. Without a revision a side is the working tree as
git sees it: what is not ignored, committed or not.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import pipeline, repository

MADE = ("data/", "reports/")  # below these lies no code
_ROOTS = ("params.yaml", pipeline.LOCK_FILE, "dvc.yaml", "reports", "data")
_NAMED = 3  # items that a line names before it counts the others


@dataclass(frozen=True, kw_only=True)
class Side:
    """What one commit says of its pipeline: dvc.lock, dvc.yaml and params.yaml, parsed; empty if absent."""

    entries: Mapping[str, Any]
    declared: Mapping[str, Any]
    """the stages of dvc.yaml"""
    params: Mapping[str, Any]


def take_out(revision: str | None, folder: Path, *, root: Path = pipeline.HERE) -> None:
    """Fill `folder` with what a commit, or the working tree, has of pipeline, reports and code.

    Raises ValueError for an unknown revision.
    """
    folder.mkdir(parents=True)
    if revision is None:
        known = repository.git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--",
                               *_ROOTS, *_code(root / pipeline.LOCK_FILE), root=root)  # fmt: skip
        for name in filter(None, known.split("\0")):
            source = root / name
            if source.is_file() and not source.is_symlink():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, folder / name)
        return
    _unpack(revision, _ROOTS, folder, root)
    _unpack(revision, _code(folder / pipeline.LOCK_FILE), folder, root)


def _unpack(revision: str, roots: Sequence[str], folder: Path, root: Path) -> None:
    """Unpack what a commit has of these paths."""
    commit = repository.commit(revision, root=root)
    words = repository.git("ls-tree", "-z", "--name-only", commit, "--", *roots, root=root)
    there = [name for name in words.split("\0") if name]
    if not roots or not there:
        return
    packed = folder.with_name(f"{folder.name}.tar").resolve()
    try:
        repository.git("archive", "--format=tar", "-o", str(packed), commit, "--", *there, root=root)  # fmt: skip
        with tarfile.open(packed) as archive:
            files = [member for member in archive if member.isreg()]
            archive.extractall(folder, members=files, filter="data")
    finally:
        packed.unlink(missing_ok=True)


def _code(path: Path) -> list[str]:
    """Return the top folders and files that a lock file names besides data and reports."""
    entries = (
        pipeline.parse_lock(path.read_text(encoding="utf-8")).values() if path.is_file() else ()
    )
    read = (dep["path"] for entry in entries for dep in entry.get("deps", []))
    return sorted({Path(name).parts[0] for name in read if not name.startswith(MADE)})


def read(folder: Path) -> Side:
    """Read a side's pipeline; what it lacks is empty."""
    from dvc.utils.serialize import parse_yaml

    trees: dict[str, Any] = {"dvc.yaml": {}, "params.yaml": {}}
    for name in trees:
        path = folder / name
        if path.is_file():
            trees[name] = parse_yaml(path.read_text(encoding="utf-8"), name) or {}
    return Side(
        entries=pipeline.read_lock(folder),
        declared=trees["dvc.yaml"].get("stages") or {},
        params=trees["params.yaml"],
    )


def stale(folder: Path) -> list[str]:
    """Return, a line each, with what else than its own code and parameters a side's dvc.lock was made."""
    side = read(folder)
    written = [path for entry in side.entries.values() for path in md5s(entry, "outs")]
    hashes: dict[str, str] = {}
    late: dict[str, list[str]] = {}
    for stage, entry in side.entries.items():
        for path, md5 in md5s(entry, "deps").items():
            if path.startswith(MADE) or path in written:
                continue
            if path not in hashes:
                hashes[path] = md5_of(folder / path)
            if hashes[path] != md5:
                late.setdefault(path, []).append(stage)
        for name, value in ((entry.get("params") or {}).get("params.yaml") or {}).items():
            if _at(side.params, name) != value:
                late.setdefault(f"`{name}` of params.yaml", []).append(stage)
    return [
        f"dvc.lock was made with another {what} ({some(stages)}): run `make repro` and commit"
        for what, stages in late.items()
    ]


def md5_of(path: Path) -> str:
    """Return a file's or folder's hash as DVC writes it into dvc.lock; empty if nothing is there."""
    if path.is_dir():
        files = (x for x in path.rglob("*") if x.is_file() and x.parent.name != "__pycache__")
        names = sorted(file.relative_to(path).as_posix() for file in files)
        listing = [{"md5": md5_of(path / name), "relpath": name} for name in names]
        return f"{hashlib.md5(json.dumps(listing).encode()).hexdigest()}.dir"  # noqa: S324
    return hashlib.md5(path.read_bytes()).hexdigest() if path.is_file() else ""  # noqa: S324


def md5s(entry: Mapping[str, Any], key: str) -> dict[str, str]:
    """Return {path: hash} of the `deps` or `outs` of a lock entry."""
    return {item["path"]: item.get("md5", "") for item in entry.get(key, [])}


def some(names: Sequence[str]) -> str:
    """Name the first items and count the others."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _at(tree: Any, name: str) -> Any:
    """Return what stands at a dotted name; None if nothing does."""
    for word in name.split("."):
        tree = tree.get(word) if isinstance(tree, Mapping) else None
    return tree
