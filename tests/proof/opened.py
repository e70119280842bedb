"""Which files a program really opens, by the kernel's word: strace around it and all that it starts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TRACE = (
    "strace", "-ff", "-y", "--seccomp-bpf", "-qq", "-s", "4096",
    "-e", "trace=open,openat,openat2,creat,rename,renameat,renameat2", "-o",
)  # fmt: skip
"""what goes before a program's command, then a path to begin the names of the records with"""
_OPENED = re.compile(r"^(?:open|openat|openat2|creat)\((.*)\) = \d+<(.+)>$")
_RENAMED = re.compile(r'^rename(?:at2?)?\(.*, "((?:[^"\\]|\\.)*)"(?:, \w+)?\) = 0$')


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Paths below a folder, relative to it."""

    read: frozenset[str]
    listed: frozenset[str]
    """folders"""
    written: frozenset[str]
    """or moved to"""


def below(folder: Path, records: Path) -> Opened:
    """Return what the program opened below `folder`, by the records whose names begin with `records`."""
    root = folder.resolve()
    kinds: dict[str, set[str]] = {"read": set(), "listed": set(), "written": set()}
    for kind, path in _all(records):
        whole = root / path
        if whole.is_relative_to(root):
            kinds[kind].add(whole.relative_to(root).as_posix())
    return Opened(
        read=frozenset(kinds["read"]), listed=frozenset(kinds["listed"]), written=frozenset(kinds["written"])
    )  # fmt: skip


def _all(records: Path) -> Iterator[tuple[str, str]]:
    """Yield kind and path of each opening in the records of all threads."""
    for record in sorted(records.parent.glob(f"{records.name}.*")):
        for line in record.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            if match := _OPENED.match(line):
                how, path = match.groups()
                if "O_DIRECTORY" in how:
                    yield "listed", _plain(path)
                    continue
                if "O_WRONLY" not in how and not line.startswith("creat("):
                    yield "read", _plain(path)
                if re.search(r"O_WRONLY|O_RDWR|O_CREAT", how) or line.startswith("creat("):
                    yield "written", _plain(path)
            elif match := _RENAMED.match(line):
                yield "written", _plain(match[1])


def _plain(path: str) -> str:
    r"""Undo strace's escapes: octal, \n, \"."""
    path = path.removesuffix(" (deleted)").removesuffix("(deleted)")
    if "\\" not in path:
        return path
    return path.encode("latin-1").decode("unicode_escape").encode("latin-1").decode("utf-8")
