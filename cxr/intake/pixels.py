"""Prepared pixels that ingest leaves for preprocess, so that no image is decoded twice, and none copied.

While an image is decoded for its facts it goes through the preprocessing chain of params.yaml too.
The results of a block wait in the scratch folder as one shard, named by the sha256 of its images'
files in order, in a folder named by the chain and its code. Where preprocess wants the same images in
one shard it links that file (which then takes no space beside data/prepared and DVC's cache, and which
DVC knows as unchanged); else it picks the images from where they are. Whoever finds nothing here
decodes again and gets the same bytes: this saves time and decides nothing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cxr import archives, artifacts, scratch
from cxr.intake import blocks
from cxr.preprocessing import _chain

CODE = ("cxr/images.py", "cxr/png.py", "cxr/dicom", "cxr/preprocessing")


def key(steps: Sequence[Any]) -> str:
    """Return what stands for the steps of params.yaml and the code that they name."""
    return scratch.key(artifacts.canonical_json(list(steps)), code=CODE)


def chain_of(steps: Sequence[Any]) -> tuple[_chain.Step, ...]:
    """Return the chain that the steps describe; ValueError that names the faulty one."""
    return _chain.build(steps, where="params.yaml: preprocess.steps")


def shards(names: Sequence[str]) -> Iterator[slice]:
    """Yield the rows of each shard of images with these ids, which are sorted.

    A shard ends where an archive does and where ingest's block does, so an archive that is added
    leaves the shards of the others as they are.
    """
    folders = [name.rpartition("/")[0] for name in names]
    holder = {folder: _holder(folder) for folder in dict.fromkeys(folders)}
    start, holders = 0, [holder[folder] for folder in folders]
    for row, name in enumerate(names, start=1):
        ends = row == len(names) or holders[row] != holders[start]
        if ends or blocks.ends_block(name.partition("/")[2], row - start):
            yield slice(start, row)
            start = row


def _holder(folder: str) -> str:
    """Return the archive of an image id's folder, or the data set of a loose file."""
    parts = folder.split("/")
    ends = (end for end in range(2, len(parts) + 1) if archives.is_archive(parts[end - 1]))
    return "/".join(parts[: next(ends, 1)])


def write(folder: Path, sha256: Sequence[str], prepared: Sequence[np.ndarray]) -> None:
    """Keep the images uint8 (S, S) of the files with these hashes as one shard."""
    name = _name(sha256)
    blocks.put(folder / f"{name}.npy", blocks.as_npy(np.stack(prepared)))
    blocks.put(folder / f"{name}.json", json.dumps(list(sha256)).encode())


def _name(sha256: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(sha256).encode()).hexdigest()[:24]


class Pixels:
    """What is kept in a folder, for images whose files have the hashes `sha256`, in the rows' order."""

    def __init__(self, folder: Path, sha256: Sequence[str]) -> None:
        self._folder, self._sha256 = folder, sha256
        self._used: set[str] = set()
        self._mapped: dict[str, np.ndarray | None] = {}
        self._place: dict[str, tuple[str, int]] | None = None

    def take(self, rows: slice, path: Path) -> bool:
        """Put the shard of these rows at `path`; False if it is not kept, or not whole."""
        name = _name(self._sha256[rows])
        if self._map(name) is None:
            return False
        _link(self._folder / f"{name}.npy", path)
        self._used.add(name)
        return True

    def keep(self, rows: slice, path: Path) -> None:
        """Keep the finished shard at `path` for later runs."""
        name = _name(self._sha256[rows])
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f"{name}.npy").unlink(missing_ok=True)
        _link(path, self._folder / f"{name}.npy")
        blocks.put(self._folder / f"{name}.json", json.dumps(list(self._sha256[rows])).encode())
        self._used.add(name)

    def image(self, sha256: str) -> np.ndarray | None:
        """Return the prepared image uint8 (S, S) of a file, from whichever shard; None if it is not kept."""
        if self._place is None:
            self._place = dict(self._places())
        name, row = self._place.get(sha256, ("", 0))
        shard = self._map(name) if name else None
        return None if shard is None else shard[row]

    def forget_others(self) -> None:
        """Remove what was neither taken nor kept: of other chains, and of images that stand in shards now."""
        for folder in sorted(self._folder.parent.glob("*")):
            if folder != self._folder:
                shutil.rmtree(folder)
        for path in sorted(self._folder.glob("*")):
            if path.stem not in self._used:
                path.unlink()

    def _places(self) -> Iterator[tuple[str, tuple[str, int]]]:
        for path in sorted(self._folder.glob("*.json")):
            try:
                names = json.loads(path.read_bytes())
            except (OSError, ValueError):
                continue
            yield from ((sha256, (path.stem, row)) for row, sha256 in enumerate(names))

    def _map(self, name: str) -> np.ndarray | None:
        """Return a shard's images, mapped and not in memory; None if it is not there or cut short."""
        if name not in self._mapped:
            try:
                path = self._folder / f"{name}.npy"
                self._mapped[name] = np.load(path, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError):
                self._mapped[name] = None
        return self._mapped[name]


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)
