"""What each stage really opens, beside what dvc.yaml declares: `python -m tests.proof.trace`.

Each stage of dvc.lock runs once under strace in a copy of the whole project (where `make repro` has run), so
that a file which it should not read is there to be read. reports/proof/opened.csv has a line a stage, kept
while it speaks of the same dvc.lock: how many files of the project it read, those among them that are not
declared, how many images it read that the manifest's hashes vouch for and how much code to name its kept
work by, what it wrote anywhere but in its outputs, and what is declared and was never opened. Exit 1 if
anything undeclared was read or written.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cxr import artifacts
from flows import pipeline
from tests.house import source
from tests.proof import alone, clones, opened, rows
from tests.proof.rows import REPORT

FREE = ("data/.scratch", "reports/host")
"""folders that a stage may read and write and that decide no output: kept work, durations"""
IMAGES = ("data/raw",)
"""not declared for alone.BY_HASH"""
CODE, SCRATCH = ("cxr", "stages"), "cxr/scratch.py"
"""all code is hashed to name the folder of kept work; that none of it is used, `doubles` shows, where it lacks"""
LEFT_OUT = (
    ".git",
    ".venv",
    ".bootstrap",
    ".bench",
    ".dvc",
    ".serve",
    ".scratch",
    "__pycache__",
    ".*cache*",
)
COLUMNS = (
    "lock", "stage", "read", "undeclared", "by_hash", "for_scratch", "written_elsewhere", "never_opened",
    "never_opened_names",
)  # fmt: skip
_FEW = 12  # names in a cell


def trace(entry: alone.Entry, root: Path, folder: Path) -> opened.Opened:
    """Run a stage in a copy of the project at `folder`; raise RuntimeError with its words if it fails."""
    shutil.copytree(
        root, folder / "project", ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True
    )
    for out in entry.outs:  # as DVC does before a run
        _remove(folder / "project" / out)
    said = alone.run(entry, folder / "project", before=(*opened.TRACE, str(folder / "opened")))
    if said.returncode:
        raise RuntimeError(f"{entry.name} failed under strace:\n{said.stdout}{said.stderr}")
    return opened.below(folder / "project", folder / "opened")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def row(entry: alone.Entry, found: opened.Opened, root: Path) -> dict[str, str | int]:
    """Return the stage's line: what was opened beside what is declared."""
    read = {path for path in found.read if not _below(path, FREE)}
    undeclared = {
        path
        for path in read - found.written - {"params.yaml"}
        if not _below(path, (*entry.deps, *entry.outs)) and not _says_nothing(path)
    }
    by_hash = {x for x in undeclared if _below(x, IMAGES) and entry.name in alone.BY_HASH}
    for_scratch = {x for x in undeclared if _below(x, CODE) and SCRATCH in entry.deps}
    elsewhere = {
        path
        for path in found.written
        if not _below(path, (*entry.outs, *FREE)) and not _partial(path)
    }
    declared = {path for dep in entry.deps for path in alone.files(root, dep)}
    never = {path for path in declared - found.read if "__pycache__" not in path}
    return {
        "stage": entry.name,
        "read": len(read),
        "undeclared": _names(undeclared - by_hash - for_scratch),
        "by_hash": len(by_hash),
        "for_scratch": len(for_scratch),
        "written_elsewhere": _names(elsewhere),
        "never_opened": len(never),
        "never_opened_names": _names(never),
    }


def _below(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _says_nothing(path: str) -> bool:
    """Tell whether it is a module that holds its docstring alone, as a package's often does."""
    return path.endswith("/__init__.py") and source.only_words(path)


def _partial(path: str) -> bool:
    """Tell whether it is a file that a writer moves into its place when it is whole."""
    return any(part.startswith(".") and part.endswith(".partial") for part in Path(path).parts)


def _names(paths: set[str]) -> str:
    shown = sorted(paths)[:_FEW]
    more = len(paths) - len(shown)
    return " ".join(shown) + (f" and {more} more" if more else "")


def main() -> None:
    """Trace every stage, or those named, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.trace", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("stages", nargs="*", help="all without it")
    parser.add_argument(
        "--project", type=Path, default=pipeline.HERE, help="where `make repro` has run"
    )
    parser.add_argument(
        "--small",
        action="store_true",
        help="in a clone of HEAD with small budgets, which runs first",
    )
    parser.add_argument("--out", type=Path, default=REPORT)
    options = parser.parse_args()
    if not shutil.which("strace"):
        sys.exit("trace: no strace on this machine (Debian: package strace)")
    try:
        with tempfile.TemporaryDirectory(prefix="cxr-trace-") as folder:
            root = options.project
            if options.small:
                root = clones.small(Path(folder) / "clone")
                clones.reproduced(root)
            table = traced(root, options.out / "opened.csv", options.stages)
    except (RuntimeError, ValueError, OSError, AssertionError, subprocess.SubprocessError) as error:
        sys.exit(f"trace: {error}")
    faulty = wrong(table)
    print(f"trace: {len(table)} stages, {len(faulty)} with undeclared files {' '.join(faulty)}")
    sys.exit(bool(faulty))


def traced(root: Path, path: Path, names: Sequence[str] = ()) -> pd.DataFrame:
    """Trace the stages named, or all, that have no line of this dvc.lock in the file yet; return its lines."""
    of = rows.lock(root)
    table = rows.kept(path, of, COLUMNS)
    for entry in alone.entries(root):
        if entry.name in set(table["stage"]) or (names and entry.name not in names):
            continue
        with tempfile.TemporaryDirectory(prefix="cxr-trace-") as folder:
            found = {"lock": of, **row(entry, trace(entry, root, Path(folder)), root)}
        table = pd.concat([table, pd.DataFrame([found])], ignore_index=True)
        artifacts.write_csv(path, table)
        print(found, flush=True)
    return table


def wrong(table: pd.DataFrame) -> list[str]:
    """Return the stages that opened what is not declared, or wrote where nothing is."""
    told = table[["undeclared", "written_elsewhere"]]
    return table["stage"][(told.notna() & (told != "")).any(axis=1)].tolist()


if __name__ == "__main__":
    main()
