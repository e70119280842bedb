"""guard: refuse a tree that came from elsewhere if anything in it leads out of it, before it is checked out.

What git brings may hold links, what DVC's files name is written where they say, and DVC follows both. A
commit is looked at as git's objects, so nothing of it is on the disk yet: links that leave the tree, are
absolute or lead into `.git` or `.dvc`; paths under `.git`; submodules; pointers, lock files and settings
of DVC that name a place outside or a hash that is no hash. A folder is looked at as it lies there: the
same links, and devices, pipes and sockets. flows/guard_data.py looks at what DVC brings. Code and
commands of a commit are trusted or not by people: nothing here reads them.

    python -m flows.guard origin/main
"""

from __future__ import annotations

import argparse
import configparser
import os
import posixpath
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import command, files, pipeline, repository, summaries

_LINK, _SUBMODULE = "120000", "160000"
_MACHINES = ("config.local", "tmp", "cache")  # of .dvc: what only this machine writes
_SETTINGS = ("core.site_cache_dir", "state.dir", "index.dir", "db.dir")  # where DVC writes notes
_TURNS = 40  # of a chain of links, as the kernel has it
_HASH = re.compile(r"[0-9a-f]{32}(\.dir)?")
_FILE = re.compile(r"[0-9a-f]{32}")
# Of a checkout: what `make` and our own programs put there, not what came from elsewhere.
_APART = (".git", ".dvc", ".venv", ".bootstrap", ".bench", ".worktrees", ".serve")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that must not be used."""

    where: str
    """path in the tree, and what names it"""
    fault: str


class Refused(ValueError):
    """The tree is not used; the message is the table of all findings."""

    def __init__(self, what: str, findings: Iterable[Finding]) -> None:
        self.findings = list(findings)
        rows = [{"where": repr(one.where)[1:-1], "fault": one.fault} for one in self.findings]
        table = summaries.findings(files.table(("where", "fault"), rows))
        super().__init__(f"{what} is refused, nothing of it was written:\n{table}")


def check_commit(revision: str, *, root: Path = pipeline.HERE) -> None:
    """Raise Refused if a commit's tree, or what its files say to DVC, leads out of it."""
    commit = repository.commit(revision, root=root)
    if found := list(of_commit(commit, root)):
        raise Refused(f"commit {commit[:12]}", found)


def check_folder(folder: Path, *, cache: Path | None = None) -> None:
    """Raise Refused if a folder holds links that lead out of it, or what is neither file nor folder.

    Links into `cache` are DVC's own.
    """
    if found := list(of_folder(folder, cache)):
        raise Refused(str(folder), found)


def of_commit(commit: str, root: Path) -> Iterator[Finding]:
    """Yield what is wrong with a commit."""
    entries = list(_entries(commit, root))
    links = {
        path: repository.git("cat-file", "blob", blob, root=root)
        for mode, blob, path in entries
        if mode == _LINK
    }
    for mode, blob, path in entries:
        if fault := astray(path):
            yield Finding(where=path, fault=fault)
        elif path.startswith(".dvc/") and path.split("/")[1] in _MACHINES:
            yield Finding(where=path, fault="belongs to one machine and is never in git")
        elif mode == _SUBMODULE:
            yield Finding(where=path, fault="is a submodule, which would bring another repository")
        elif mode == _LINK and (fault := leaves(path, links)):
            yield Finding(where=f"{path} -> {links[path]}", fault=fault)
        elif mode != _LINK and _speaks_to_dvc(path):
            yield from said(path, repository.git("cat-file", "blob", blob, root=root))


def _entries(commit: str, root: Path) -> Iterator[tuple[str, str, str]]:
    """Yield mode, object and path of each file of a commit."""
    words = repository.git("ls-tree", "-r", "-z", "--full-tree", commit, root=root)
    for entry in words.split("\0"):
        if entry:
            about, path = entry.split("\t", 1)
            mode, _, blob = about.split()
            yield mode, blob, path


def astray(path: str) -> str:
    """Say why a path must not be written; nothing if it stays in the tree and out of git's own folder."""
    parts = path.split("/")
    if path.startswith("/"):
        return "is absolute"
    if "://" in path:
        return "is no path of the tree"
    if ".." in parts:
        return "leads out of the tree"
    if any(_gits(part) for part in parts):
        return "leads into .git"
    return "" if path and "\0" not in path else "is no path"


def _gits(part: str) -> bool:
    """Tell whether a part of a path is git's own folder, on file systems that see no case as well."""
    return part.casefold().rstrip(". ") in (".git", "git~1")


def leaves(path: str, links: Mapping[str, str]) -> str:
    """Say why a link leads astray, through all links of the tree; nothing if it stays inside."""
    here = path.split("/")
    here.pop()
    left = links[path].split("/")[::-1]
    if links[path].startswith("/"):
        return "is an absolute link"
    turns = 0
    while left:
        word = left.pop()
        if word == ".." and not here:
            return "is a link out of the tree"
        if word == "..":
            here.pop()
        elif word not in ("", "."):
            here.append(word)
            if _gits(word) or word == ".dvc":
                return f"is a link into {word}"
        if (target := links.get("/".join(here))) is not None:
            turns += 1
            if target.startswith("/") or turns > _TURNS:
                return "is a link in a circle" if turns > _TURNS else "is a link to an absolute one"
            here.pop()
            left += target.split("/")[::-1]
    return ""


def _speaks_to_dvc(path: str) -> bool:
    return path.endswith(".dvc") or path.rpartition("/")[2] == "dvc.lock" or path == ".dvc/config"


def said(path: str, text: str) -> Iterator[Finding]:
    """Yield what is wrong with a pointer, a lock file or the settings of DVC."""
    if path == ".dvc/config":
        yield from _settings(path, text)
        return
    tree = parsed(text)
    if tree is None:
        yield Finding(where=path, fault="is no YAML mapping")
        return
    whole = path.endswith(".dvc")
    entries = [tree] if whole else [*tree.get("stages", tree).values()]  # as older DVCs wrote it
    for entry in entries:
        if isinstance(entry, dict):
            folder = posixpath.join(posixpath.dirname(path), str(entry.get("wdir", "")))
            yield from outputs(path, folder, entry)


def parsed(text: str) -> dict[str, Any] | None:
    """Return the mapping of a file of DVC; None if it is none."""
    from dvc.utils.serialize import ParseError, parse_yaml

    try:
        tree = parse_yaml(text, "")
    except ParseError:
        return None
    return tree if isinstance(tree, dict) else None


def outputs(where: str, folder: str, entry: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with the outputs of a stage or pointer, whose paths count from a folder."""
    for out in entry.get("outs") or []:
        if isinstance(out, dict):
            yield from output(where, folder, out)


def output(where: str, folder: str, out: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with an output: its path, its hash, a list of files that stands there."""
    name = str(out.get("path", ""))
    label = f"{where}: {name}" if where else name
    outside = name.startswith("/") or "://" in name
    place = name if outside else posixpath.normpath(posixpath.join(folder, name))
    if fault := astray(place) or _top(place):
        yield Finding(where=label, fault=fault)
    if (md5 := out.get("md5")) is not None and not _HASH.fullmatch(str(md5)):
        yield Finding(where=label, fault=f"{md5!r} is no hash")
    if out.get("files"):
        yield from listing(label, out["files"])


def _top(place: str) -> str:
    """Say why nothing may be written at a place at the top of the tree."""
    if place == ".":
        return "is the tree itself"
    return "leads into .dvc" if place.split("/")[0] == ".dvc" else ""


def listing(where: str, entries: Any) -> Iterator[Finding]:
    """Yield what is wrong with a list of a folder's files, as DVC keeps it, before any is written."""
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        yield Finding(where=where, fault="is no list of files")
        return
    names = [str(each.get("relpath", "")) for each in entries]
    known = {*names}
    for name, each in zip(names, entries, strict=True):
        if (fault := astray(name)) or posixpath.normpath(name) != name:
            yield Finding(where=f"{where}: {name}", fault=fault or "is no plain path")
        elif any("/".join(name.split("/")[:n]) in known for n in range(1, name.count("/") + 1)):
            yield Finding(where=f"{where}: {name}", fault="lies in another file")
        if not _FILE.fullmatch(str(each.get("md5", ""))):
            yield Finding(where=f"{where}: {name}", fault=f"{each.get('md5')!r} is no hash")
    if len(known) < len(names):
        yield Finding(where=where, fault="names a file twice")


def _settings(path: str, text: str) -> Iterator[Finding]:
    """Yield the settings of DVC that let it write its notes elsewhere."""
    found = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        found.read_string(text)
    except configparser.Error as error:
        yield Finding(where=path, fault=" ".join(str(error).split()))
        return
    for key in _SETTINGS:
        section, _, option = key.partition(".")
        value = found.get(section, option, fallback="").strip("\"'")
        if value and (value.startswith("/") or ".." in value.split("/")):
            yield Finding(where=f"{path}: {key} = {value}", fault="leads out of the tree")


def of_folder(folder: Path, cache: Path | None) -> Iterator[Finding]:
    """Yield what is wrong with a folder as it lies on the disk; nothing is followed or opened."""
    root = folder.resolve()
    for place, folders, names in os.walk(root):
        if Path(place) == root:
            folders[:] = [name for name in folders if name not in _APART]
        folders.sort()
        for path in (Path(place, name) for name in sorted([*folders, *names])):
            if fault := _on_disk(path, root, cache):
                yield Finding(where=path.relative_to(root).as_posix(), fault=fault)


def _on_disk(path: Path, root: Path, cache: Path | None) -> str:
    mode = path.lstat().st_mode
    if not stat.S_ISLNK(mode):
        fine = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
        return "" if fine else "is neither a file nor a folder"
    target = path.resolve()
    if cache is not None and target.is_relative_to(cache.resolve()):
        return ""
    if path.readlink().is_absolute():
        return "is an absolute link"
    if not target.is_relative_to(root):
        return "is a link out of the tree"
    inside = target.relative_to(root).parts
    return "is a link into .git or .dvc" if any(_gits(x) or x == ".dvc" for x in inside) else ""


def main() -> None:
    """Look at the commit named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m flows.guard", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("revision", nargs="?", default="HEAD", help="branch, tag or commit")
    revision = parser.parse_args().revision
    with command.telling(interrupted=command.NOTHING_HALF):
        check_commit(revision)
    print(f"{revision}: nothing in it leads out of it")


if __name__ == "__main__":
    main()
