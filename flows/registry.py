"""registry: the versions of the models: which are there, which one is prod, are they whole, bring prod's here.

Both the list and the download look at the git remote first. Versions are tags that `gto show` reads too
(flows/versions.py); they come by `promote` (flows/promotion.py), and `python -m flows.rollback` goes
back to an older one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from flows import command, pipeline, repository, store, study
from flows.origin import Overtaken, bring, check
from flows.promotion import EXPORTED, delivered, promote, publish
from flows.versions import Version, names, next_number, production, versions

__all__ = ("Overtaken", "Version", "bring", "check", "content", "download", "names", "next_number",
           "production", "promote", "publish", "verify", "versions")  # fmt: skip


def content(version: Version, root: Path = pipeline.HERE) -> dict[str, str]:
    """Return {path: md5} of a version's model and export, files of folders not named; from its commit."""
    texts = [
        repository.git("show", f"{version.commit}:{file}", root=root)
        for file in (study.PARAMS_FILE, pipeline.LOCK_FILE)
    ]
    try:
        return delivered(
            study.parse(texts[0], where=f"{version.tag}:{study.PARAMS_FILE}"),
            pipeline.parse_lock(texts[1]),
        )
    except ValueError as error:
        raise ValueError(f"{version.tag}: {error}") from None


def verify(version: Version, root: Path = pipeline.HERE, *, deliver: bool = False) -> int:
    """Read every file of a version's model and export, wherever it lies; return how many there are.

    Raises ValueError with a line for each that is neither in the cache nor on the DVC remote, and for
    each copy that is not what its hash says. With `deliver`, what only the cache has goes to the remote.
    """
    with store.opened(root) as kept:
        objects = kept.contents(content(version, root))
        if faults := kept.faults(objects):
            raise ValueError("\n".join([f"{version.tag} is not whole:", *faults]))
        if deliver:
            kept.complete(objects)
    return sum(not md5.endswith(".dir") for md5 in objects.values())


def download(version: Version, target: Path, root: Path = pipeline.HERE) -> list[str]:
    """Write a version's exported model into a new or empty folder, whole or not at all; return its files.

    Each is checked by its hash. Raises ValueError if the folder holds something or a file is nowhere whole.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ValueError(
            f"{target} is there already and holds something: name a new or empty folder"
        )
    exported = {
        path: md5 for path, md5 in content(version, root).items() if path.startswith(EXPORTED)
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with store.opened(root) as kept:
            found = kept.contents(exported)
            for folder in exported:
                files = {path.removeprefix(f"{folder}/"): path for path in found if path != folder}
                for inside, path in files.items():
                    (partial / inside).parent.mkdir(parents=True, exist_ok=True)
                    kept.bring(path, found[path], partial / inside)
        partial.replace(target)  # an empty folder in its place gives way
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return sorted(files)


def table(name: str | None, root: Path = pipeline.HERE) -> list[str]:
    """Return a line for each version of one name or of all: tag, prod or not, day and commit."""
    lines = []
    for known in [name] if name else names(root):
        live = production(known, root)
        for version in versions(known, root):
            day = repository.git("log", "-1", "--format=%cs", version.commit, root=root).strip()
            mark = "prod" if version == live else "    "
            lines.append(f"{version.tag}  {mark}  {day}  {version.commit[:12]}")
    return lines


def _refresh(root: Path, remote: str, name: str | None) -> None:
    """Learn what the remote has; where it does not answer, say that the list may be old."""
    try:
        bring(root, name=name, remote=remote)
    except pipeline.Unreachable as error:
        print(f"warning: {error}; what follows is what this clone knew before", file=sys.stderr)


def main() -> None:
    """List versions, or fetch prod's exported model."""
    parser = argparse.ArgumentParser(prog="python -m flows.registry", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("name", nargs="?", help="list the versions of this one only")
    parser.add_argument("--fetch", metavar="NAME", help="bring prod's exported model here, checked")
    parser.add_argument("--to", type=Path, metavar="DIR", help="a new or empty folder for it")
    parser.add_argument("--remote", default="origin", help="the git remote that holds the tags")
    arguments = parser.parse_args()
    if bool(arguments.fetch) != bool(arguments.to):
        parser.error("--fetch NAME and --to DIR go together")
    with command.telling(interrupted=command.NOTHING_HALF):
        _refresh(pipeline.HERE, arguments.remote, arguments.fetch or arguments.name)
        if arguments.fetch:
            _fetch(arguments.fetch, arguments.to)
            return
        lines = table(arguments.name)
        wanted = f" of {arguments.name!r}" if arguments.name else ""
        print("\n".join(lines) or f"no version{wanted} is registered yet")


def _fetch(name: str, target: Path) -> None:
    version = production(name)
    if version is None:
        raise ValueError(
            f"{name!r} has no version that is prod: names with versions are {', '.join(names()) or 'none'}"
        )
    files = download(version, target)
    print(f"{target}: {version.tag}, {', '.join(files)}, each checked by its hash")


if __name__ == "__main__":
    main()
