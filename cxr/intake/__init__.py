"""Taking images in: each file is read and decoded once, its facts kept, its prepared pixels left for later.

What was taken in before is not read again (cxr.intake.blocks). Zip, tar and loose files are read by
the workers themselves, block by block; a packed tar can only be read from its beginning, so one
worker streams it whole, once, and measures every image in it. Bytes don't depend on what was kept,
on the number of workers or on their order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxr import archives, images, workers
from cxr.intake import blocks, facts, pixels
from cxr.intake.blocks import Block
from cxr.preprocessing import _chain


@dataclass(frozen=True)
class Keep:
    """Where what is taken in is kept, and what is prepared on the way."""

    folder: Path
    """scratch folder of the data set's facts"""
    pixels: Path | None = None
    """scratch folder of prepared pixels; None: nothing is prepared on the way"""
    chain: tuple[_chain.Step, ...] = ()
    """the steps of preprocess"""

    def absolute(self) -> Keep:
        """Return the same folders for a worker, which may have been started elsewhere."""
        pixels = self.pixels.absolute() if self.pixels else None
        return Keep(self.folder.absolute(), pixels, self.chain)


def stream_packed(root: Path, keep: Keep) -> None:
    """Take in every packed tar below `root` that is new, each in one pass, and recall the others.

    To be called before `archives.members(root)`, which would need a pass of its own to list them.
    """
    todo = []
    for name in archives.files(root):
        if archives.is_tar(name) and not _recall(root, name, keep) and archives.is_packed(name):
            todo.append((root.absolute(), name, keep.absolute()))
    workers.run(_stream, todo, words=f"reading the archives in {root}")
    for _, name, _ in todo:
        _recall(root, name, keep)


def take_in(root: Path, members: Sequence[str], keep: Keep) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the measured columns and the thumbnails uint8 (N, 32, 32) of these members, in order.

    What was kept of archives and images that are no longer there is removed.
    """
    known, todo = [], []
    for block in _blocks(root, members, keep):
        found = blocks.read(keep.folder, block)
        if found is None:
            todo.append(block)
        else:
            known.append((block, found))
    items = [(root.absolute(), block, keep.absolute()) for block in todo]
    workers.run(_take, items, words=f"reading the images in {root}")
    for block in todo:
        found = blocks.read(keep.folder, block)
        if found is None:
            raise ValueError(
                f"{keep.folder}/{block.key} was written and can't be read: check the disk"
            )
        known.append((block, found))
    _forget_others(root, [block for block, _ in known], keep)
    return _gather(known, members)


def _forget_others(root: Path, used: Sequence[Block], keep: Keep) -> None:
    """Remove what was kept of other blocks, and of tars that are no longer there."""
    stems = {block.key for block in used}
    stems |= {
        _record(root, name, keep).stem for name in archives.files(root) if archives.is_tar(name)
    }
    for path in sorted(keep.folder.glob("*")):
        if path.stem not in stems:
            path.unlink()


def _blocks(root: Path, members: Sequence[str], keep: Keep) -> Iterator[Block]:
    """Yield the blocks that hold `members`: whole packed tars, and of the rest only what is asked for."""
    for outer, inner in _by_container(root, members).items():
        path = root / outer
        if not outer:
            for block in blocks.cut(inner, state=""):
                states = [blocks.state(root / name) for name in block.members]
                yield blocks.named(block.members, state="\n".join(states))
            continue
        state = blocks.state(path)
        streamed = _taken(root, outer, keep) if archives.is_packed(outer) else []
        yield from blocks.cut(streamed, state=state)
        rest = set(inner).difference(streamed)
        yield from blocks.cut(sorted(rest), state=state)
        if rest and archives.is_tar(outer) and not _recall(root, outer, keep):
            _remember(root, outer, keep, streamed)


def _by_container(root: Path, members: Sequence[str]) -> dict[str, list[str]]:
    """Return the members of each archive, and under "" the loose files; sorted."""
    outer = [name for name in archives.files(root) if archives.is_archive(name)]
    found: dict[str, list[str]] = {}
    known, holders = set(outer), {"": ""}
    for name in sorted(members):
        folder = name.rpartition("/")[0]
        if folder not in holders:
            parts = folder.split("/")
            heads = ("/".join(parts[: end + 1]) for end in range(len(parts)))
            holders[folder] = next((head for head in heads if head in known), "")
        found.setdefault(holders[folder], []).append(name)
    return found


def _gather(
    known: Sequence[tuple[Block, tuple[dict[str, list[Any]], np.ndarray]]], members: Sequence[str]
) -> tuple[pd.DataFrame, np.ndarray]:
    """Put the facts of all blocks into the order of `members`."""
    if not known:
        return pd.DataFrame(columns=list(facts.UNKNOWN)), np.zeros(
            (0, *facts.BLANK.shape), np.uint8
        )
    names = [name for block, _ in known for name in block.members]
    columns = {
        column: [value for _, (found, _) in known for value in found[column]]
        for column in facts.UNKNOWN
    }
    table = pd.DataFrame(columns)
    thumbnails = np.concatenate([small for _, (_, small) in known])
    if names == list(members):
        return table, thumbnails
    rows = pd.Index(names).get_indexer(pd.Index(members))
    return table.iloc[rows].reset_index(drop=True), thumbnails[rows]


def _take(item: tuple[Path, Block, Keep]) -> None:
    """Take in one block; for a worker."""
    root, block, keep = item
    outer, inner = archives.container(root, block.members[0])
    if inner and archives.is_tar(outer):
        _recall(root, outer, keep)
    taken = _Taken(root, keep)
    for name in block.members:
        taken.add(name, _content(root, name))
    taken.write(block)


def _content(root: Path, name: str) -> bytes | ValueError:
    try:
        return archives.read(root, name)
    except ValueError as error:
        return error


def _stream(item: tuple[Path, str, Keep]) -> None:
    """Take in one packed tar; for a worker."""
    root, outer, keep = item
    path = root / outer
    state, taken, every = blocks.state(path), _Taken(root, keep), []
    for inner, content in archives.stream(path):
        name = f"{outer}/{inner}"
        if not (images.is_image(name) or images.is_dicom(content)):
            continue
        every.append(name)
        taken.add(name, content)
        if blocks.ends_block(name, len(taken.names)):
            taken.write(blocks.named(taken.names, state=state))
            taken = _Taken(root, keep)
    if taken.names:
        taken.write(blocks.named(taken.names, state=state))
    _remember(root, outer, keep, every)


class _Taken:
    """The images of one block on their way."""

    def __init__(self, root: Path, keep: Keep) -> None:
        self._root, self._keep = root, keep
        self.names: list[str] = []
        self._facts: dict[str, list[Any]] = {column: [] for column in facts.UNKNOWN}
        self._small: list[np.ndarray] = []
        self._sha256: list[str] = []
        self._prepared: list[np.ndarray] = []

    def add(self, name: str, content: bytes | ValueError) -> None:
        """Examine one image; a fault is noted."""
        if isinstance(content, ValueError):
            # the root is the same for every image, and not the same on every machine
            words = str(content).replace(f"{self._root}/", "")
            row, small, grey = facts.UNKNOWN | {"fault": words}, facts.BLANK, None
        else:
            row, small, grey = facts.examine(content, name=name)
        self.names.append(name)
        self._small.append(small)
        for column, value in row.items():
            self._facts[column].append(value)
        if grey is not None and self._keep.pixels:
            self._sha256.append(row["sha256"])
            self._prepared.append(_chain.apply(grey, self._keep.chain))

    def write(self, block: Block) -> None:
        """Keep the block; its facts come last, because they say that it is done."""
        if self._prepared and self._keep.pixels:
            pixels.write(self._keep.pixels, self._sha256, self._prepared)
        blocks.write(self._keep.folder, block, self._facts, np.stack(self._small))


def _record(root: Path, outer: str, keep: Keep) -> Path:
    """Return the file that keeps a tar's index, named by the archive and its state."""
    words = "\n".join([outer, blocks.state(root / outer), blocks.measuring()])
    return keep.folder / f"{hashlib.sha256(words.encode()).hexdigest()[:24]}.tar.json"


def _remember(root: Path, outer: str, keep: Keep, taken: list[str]) -> None:
    """Keep where a tar's members lie and which of them a stream took in."""
    record = {"index": archives.index(root / outer), "taken": taken}
    blocks.put(_record(root, outer, keep), json.dumps(record).encode())


_recalled: set[tuple[Path, Path]] = set()


def _recall(root: Path, outer: str, keep: Keep) -> bool:
    """Let this process know the members of a tar that was read before; False if it was not."""
    path = _record(root, outer, keep)
    if (path, root) in _recalled:
        return True
    try:
        index = json.loads(path.read_bytes())["index"]
    except (OSError, ValueError, KeyError):
        return False
    archives.remember(root / outer, {name: (start, size) for name, (start, size) in index.items()})
    _recalled.add((path, root))
    return True


def _taken(root: Path, outer: str, keep: Keep) -> list[str]:
    """Return which members of a packed tar were taken in by a stream."""
    try:
        return list(json.loads(_record(root, outer, keep).read_bytes())["taken"])
    except (OSError, ValueError, KeyError):
        return []
