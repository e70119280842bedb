"""Blocks: some hundred images of one archive, taken in together, kept in the scratch folder.

A block is cut where a member's name says so, so that images added to a folder move no other cut, and
is named by its members, by the state of the file that holds them (size, time of change and inode,
which is what DVC goes by too when it decides whether anything changed) and by the code that
measures. So an unchanged archive is never read again, and a new one costs what it holds.

Written by workers, read by the stage: <key>.npy, the thumbnails, and <key>.json, the facts, last; a
block whose thumbnails don't have the checksum that the facts name is taken in again.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cxr import scratch

_MOST = 256  # images of a block
_ONE_IN = 512  # names that end a block
CODE = ("cxr/intake/facts.py", "cxr/images.py", "cxr/png.py", "cxr/dicom")


@dataclass(frozen=True)
class Block:
    """Images of one archive (or loose files of one folder), in the order in which they are read."""

    key: str
    """names the block's files"""
    members: tuple[str, ...]
    """paths below the data set's folder"""


def ends_block(name: str, length: int) -> bool:
    """Say whether a block of `length` images ends with this one."""
    digest = hashlib.sha256(name.encode()).digest()
    return length >= _MOST or int.from_bytes(digest[:4]) % _ONE_IN == 0


def cut(members: Sequence[str], *, state: str) -> Iterator[Block]:
    """Cut the members of one archive whose `state` is given into blocks."""
    some: list[str] = []
    for name, following in itertools.pairwise([*members, None]):
        some.append(str(name))
        if following is None or ends_block(str(name), len(some)):
            yield named(some, state=state)
            some = []


def named(members: Sequence[str], *, state: str) -> Block:
    """Return the block of these members."""
    words = "\n".join([state, measuring(), *members])
    return Block(hashlib.sha256(words.encode()).hexdigest()[:24], tuple(members))


def state(path: Path) -> str:
    """Return what tells that a file is still the same: size, time of change, inode."""
    status = path.stat()  # of what a link means: DVC's cache may be linked
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"


_measuring: list[str] = []


def measuring() -> str:
    """Return what stands for the code that measures; read once by a process."""
    if not _measuring:
        _measuring.append(scratch.key(code=CODE))
    return _measuring[0]


def write(folder: Path, block: Block, facts: dict[str, list[Any]], thumbnails: np.ndarray) -> None:
    """Keep a block's facts (lists by column) and thumbnails uint8 (n, 32, 32)."""
    content = as_npy(thumbnails)
    put(folder / f"{block.key}.npy", content)
    record = {"crc32": zlib.crc32(content), "member": list(block.members), "facts": facts}
    put(folder / f"{block.key}.json", json.dumps(record).encode())


def read(folder: Path, block: Block) -> tuple[dict[str, list[Any]], np.ndarray] | None:
    """Return a block's facts and thumbnails; None unless they are there and whole."""
    try:
        record = json.loads((folder / f"{block.key}.json").read_bytes())
        content = (folder / f"{block.key}.npy").read_bytes()
        if zlib.crc32(content) != record["crc32"] or record["member"] != list(block.members):
            return None
        return record["facts"], np.load(io.BytesIO(content), allow_pickle=False)
    except (OSError, ValueError, KeyError):
        return None


def as_npy(array: np.ndarray) -> bytes:
    """Return the bytes of an .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def put(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, without waiting for the disk: its reader checks the content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
