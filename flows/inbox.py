"""inbox: what has arrived, whether it is whole, what its bytes are, and where it goes when it is dealt with.

An arrival is a folder of the inbox, or a pointer `<name>.dvc` whose data lie on the DVC remote. What is
still being written is left alone: names that begin with `.` or end in `.partial`, and whatever
changed within the last seconds. An arrival that was decided upon moves into `taken`, `rejected` or
`quarantined` beside the inbox, with what was found beside it; nothing is ever deleted.

`python -m flows.inbox <inbox>` lists what waits, each with its manifest's hash, as an event names it.
That hash knows paths and bytes alone: `sha256sum` of every file, sorted by path, and of those lines
again.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from flows import command, files

SETTLE_S = 60.0
FOLDERS = {
    "promoted": "taken",
    "rejected": "rejected",
    "undecided": "rejected",
    "quarantined": "quarantined",
}
"""By outcome, the folder beside the inbox that an arrival moves to."""
POINTER = ".dvc"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # the name becomes part of images' names
_DIGITS = 8


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """Something of the inbox that is whole."""

    name: str
    path: Path
    """a folder, or a pointer file"""
    changed: float
    """when it last changed, seconds since 1970: by the inodes, which `rsync -t` can't set back"""

    @property
    def is_pointer(self) -> bool:
        """Tell whether the data lie on the DVC remote."""
        return self.path.suffix == POINTER and self.path.is_file()


def waiting(inbox: Path, *, settle_s: float = SETTLE_S) -> list[Arrival]:
    """Return the arrivals that are whole, the oldest first; raise ValueError without such a folder."""
    if not inbox.is_dir():
        raise ValueError(f"{inbox} is no folder: make it, or name the folder where data arrive")
    now, found = time.time(), []
    for path in sorted(inbox.iterdir()):
        pointer = path.suffix == POINTER and path.is_file()
        if path.name.startswith(".") or path.suffix == ".partial" or path.is_symlink():
            continue
        if not (path.is_dir() or pointer):
            continue  # a note to people, say
        changed = _changed(path)
        if now - changed >= settle_s:
            name = path.stem if pointer else path.name
            found.append(Arrival(name=name, path=path, changed=changed))
    return sorted(found, key=lambda arrival: (arrival.changed, arrival.name))


def check_name(arrival: Arrival) -> None:
    """Raise ValueError unless the arrival's name can be part of the names of images."""
    if not _PLAIN.fullmatch(arrival.name):
        raise ValueError(
            f"{arrival.path}: the name {arrival.name!r} can't stand in a table: rename it, letters, "
            "digits, `.`, `_` and `-`, at most 100, the first no sign"
        )


def manifest(folder: Path) -> str:
    """Return the sha256 over the lines `<sha256>  <path>` of every file, sorted by path.

    File managers' litter does not count. A link counts by where it leads and is not followed.
    """
    lines = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if any(part.startswith(".") or part == "__MACOSX" for part in name.split("/")):
            continue
        if path.is_symlink():
            lines.append((name, hashlib.sha256(f"link {path.readlink()}".encode()).hexdigest()))
        elif path.is_file():
            with path.open("rb") as content:
                lines.append((name, hashlib.file_digest(content, "sha256").hexdigest()))
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(lines))
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def label(name: str, digest: str) -> str:
    """Return the name under which an arrival is kept: that of two deliveries of one name differs."""
    return f"{name}-{digest[:_DIGITS]}"


def put_away(arrival: Arrival, outcome: str, digest: str, tables: Mapping[str, str]) -> Path:
    """Move an arrival out of the inbox, the tables (texts by file name) beside it; return its new place."""
    folder = arrival.path.parent.resolve().parent / FOLDERS[outcome]
    folder.mkdir(exist_ok=True)
    suffix = POINTER if arrival.is_pointer else ""
    target = _free(folder, label(arrival.name, digest), suffix)
    for name, text in sorted(tables.items()):
        files.write(folder / f"{target.name}.{name}", text)
    _move(arrival.path, target)
    return target


def _changed(path: Path) -> float:
    """Return when anything of a file or folder last changed; what vanishes meanwhile changes now."""
    try:
        return max(each.lstat().st_ctime for each in [path, *path.rglob("*")])
    except FileNotFoundError:
        return time.time()


def _free(folder: Path, name: str, suffix: str) -> Path:
    """Return a path of that name that nothing has; the same data may come twice."""
    for number in _numbers():
        path = folder / f"{name}{f'-{number}' if number > 1 else ''}{suffix}"
        if not os.path.lexists(path):
            return path
    raise AssertionError("numbers do not end")


def _numbers() -> Iterator[int]:
    number = 1
    while True:
        yield number
        number += 1


def _move(path: Path, target: Path) -> None:
    """Rename; where the inbox is a disk of its own, copy, then remove."""
    try:
        path.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        if path.is_dir():
            shutil.copytree(path, partial, symlinks=True)
        else:
            shutil.copyfile(path, partial)
        partial.rename(target)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def main() -> None:
    """List what waits in the inbox named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m flows.inbox", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("inbox", type=Path, help="the folder where data arrive")
    parser.add_argument("--settle-s", type=float, default=SETTLE_S, help="seconds without a change")
    arguments = parser.parse_args()
    with command.telling(interrupted=command.NOTHING_HALF):
        for arrival in waiting(arguments.inbox, settle_s=arguments.settle_s):
            digest = "on the DVC remote" if arrival.is_pointer else manifest(arrival.path)
            print(f"{arrival.name}: {digest}")


if __name__ == "__main__":
    main()
