"""The cuts of a pruning on disk: per fold and cut the channels that stay, and whose cuts they are.

fold-<i>.json holds the cuts of one fold by name; cuts.json names the other files with their sha256, and
the parent by the sha256 of its config.json, which names the parent's own files: cuts of other weights
than those that will be cut are refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxr import artifacts
from cxr.backbones.weights import file_sha256
from cxr.pruning import methods

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One way to cut one fold's network."""

    kept: Mapping[str, list[int]]
    """group of channels: those kept, ascending; groups that are not named stay whole"""
    macs: int
    """of the network that is left"""
    origin: str
    """the method that chose it: the cut's own, or of pruned_* the one that won the contest"""

    def __post_init__(self) -> None:
        assert self.origin in methods.METHODS, self.origin


def write(folder: Path, parent: Path, by_fold: Sequence[Mapping[str, Cut]]) -> None:
    """Write each fold's cuts by name into `folder`; all folds have the same names.

    `parent` is the folder of the model that they are cuts of.
    """
    names = list(by_fold[0])
    for fold, own in enumerate(by_fold):
        assert list(own) == names, f"fold {fold}: {list(own)}, not {names}"
        tree = {name: dataclasses.asdict(cut) for name, cut in own.items()}
        artifacts.write_json(folder / _file(fold), tree)
    about = {
        "format": FORMAT,
        "parent": file_sha256(parent / "config.json"),
        "files": {_file(fold): file_sha256(folder / _file(fold)) for fold in range(len(by_fold))},
    }
    artifacts.write_json(folder / "cuts.json", about)


def read(folder: Path, parent: Path, name: str) -> list[Cut]:
    """Return the cut `name` of every fold.

    Raises ValueError for a file that is missing, of another format or not the one that was written, for
    cuts of another model than the one in `parent`, and for a name that no cut has.
    """
    about = _about(folder, parent)
    found = []
    for fold in range(len(about["files"])):
        path = folder / _file(fold)
        if not path.is_file():
            raise ValueError(f"{path} is missing: run `dvc repro` (or `dvc pull`) to get the cuts")
        wanted, there = about["files"][path.name], file_sha256(path)
        if there != wanted:
            raise ValueError(
                f"{path} has sha256 {there}, {folder / 'cuts.json'} says {wanted}: it was changed, run "
                "`dvc repro` again"
            )
        own = artifacts.read_json(path)
        if name not in own:
            raise ValueError(f"{path} has no cut {name!r}: it has {', '.join(sorted(own))}")
        found.append(Cut(**own[name]))
    return found


def _about(folder: Path, parent: Path) -> dict[str, Any]:
    """Return cuts.json; raise ValueError if it is missing, of another format or of another parent."""
    path, config = folder / "cuts.json", parent / "config.json"
    for needed in (path, config):
        if not needed.is_file():
            raise ValueError(f"{needed} is missing: run `dvc repro` (or `dvc pull`) to get it")
    about: dict[str, Any] = artifacts.read_json(path)
    if about.get("format") != FORMAT:
        raise ValueError(f"{path} has format {about.get('format')!r}, this code reads {FORMAT}")
    if about["parent"] != (there := file_sha256(config)):
        raise ValueError(
            f"{path} has cuts of a model whose config.json has sha256 {about['parent']}, {config} has "
            f"{there}: the parent was made anew, run `dvc repro`"
        )
    return about


def digest(kept: Mapping[str, Sequence[int]]) -> str:
    """Return 32 hex digits that stand for the channels that a cut keeps of its parent's groups."""
    return hashlib.sha256(artifacts.canonical_json(dict(kept)).encode()).hexdigest()[:32]


def _file(fold: int) -> str:
    return f"fold-{fold}.json"
