"""A stage alone: a folder that holds what dvc.lock says it reads and nothing else, and what it makes there.

The folder has no git, no other stage's files and of params.yaml only the declared sections. So a file or
parameter that is read and not declared is missing, and the outputs beside the recorded ones say whether
two runs of a stage give the same bytes.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from flows import pipeline
from tests.proof import clones

BY_HASH = ("preprocess",)
"""stages that read images which no dependency names, by the hashes in data/manifest.csv"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A stage of dvc.lock."""

    name: str
    words: tuple[str, ...]
    """its command, without `python`"""
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    params: Mapping[str, Any]
    """{dotted section: what stands there}"""


def entries(root: Path) -> list[Entry]:
    """Return the stages of a project's dvc.lock, in its order; raise ValueError without one."""
    lock = pipeline.read_lock(root)
    if not lock:
        raise ValueError(
            f"{root / pipeline.LOCK_FILE} lists no stage: run `make repro` there first"
        )
    return [
        Entry(
            name=name,
            words=tuple(shlex.split(entry["cmd"])[1:]),
            deps=tuple(dep["path"] for dep in entry.get("deps", ())),
            outs=tuple(out["path"] for out in entry.get("outs", ())),
            params=entry.get("params", {}).get("params.yaml", {}),
        )
        for name, entry in lock.items()
    ]


def first(root: Path, stage: str) -> Entry:
    """Return a project's first entry of a stage, whatever its item."""
    return next(x for x in entries(root) if x.name.partition("@")[0] == stage)


def lay(entry: Entry, root: Path, folder: Path) -> None:
    """Copy what the stage reads from a project where all stages have run into an empty folder."""
    folder.mkdir(parents=True)
    for dep in entry.deps:
        target = folder / dep
        target.parent.mkdir(parents=True, exist_ok=True)
        if (root / dep).is_dir():
            leave_out = shutil.ignore_patterns("__pycache__", ".*.partial")
            shutil.copytree(root / dep, target, ignore=leave_out, dirs_exist_ok=True)
        else:
            shutil.copyfile(root / dep, target)
    if entry.name in BY_HASH:
        (folder / "data/raw").symlink_to((root / "data/raw").resolve())
    # DVC sorts the sections it notes; their order in the file is the one a report shows
    declared = _ordered(_nested(entry.params), clones.parameters(root))
    YAML().dump(declared, folder / "params.yaml")


def _nested(dotted: Mapping[str, Any]) -> dict[str, Any]:
    """Return {"a.b": 1} as {"a": {"b": 1}}."""
    tree: dict[str, Any] = {}
    for name, value in dotted.items():
        *above, last = name.split(".")
        node = tree
        for word in above:
            node = node.setdefault(word, {})
        node[last] = value
    return tree


def _ordered(tree: Any, like: Any) -> Any:
    """Return the tree with its keys in the order of another one that has them all."""
    if not isinstance(tree, dict) or not isinstance(like, dict):
        return tree
    return {key: _ordered(tree[key], like[key]) for key in like if key in tree}


def run(
    entry: Entry, folder: Path, *, before: Sequence[str] = (), **more: str
) -> subprocess.CompletedProcess[str]:
    """Run the stage in its folder; `before` goes before its command, `more` into its environment."""
    return subprocess.run(
        [*before, sys.executable, *entry.words],
        cwd=folder, env=_environment(folder, more), capture_output=True, text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def killed(entry: Entry, folder: Path, *, seconds: float) -> bool:
    """Start the stage, kill all of it after so many seconds; tell whether it still ran then."""
    process = subprocess.Popen(
        [sys.executable, *entry.words],
        cwd=folder, env=_environment(folder, {}), start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait() == -signal.SIGKILL
    return False


def _environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    return {**clones.environment(folder), "PYTHONDONTWRITEBYTECODE": "1", **more}


def differing(entry: Entry, root: Path, folder: Path) -> list[str]:
    """Return the output files that are not the same in both, or only in one of them."""
    return [
        path
        for out in entry.outs
        for path in sorted({*files(root, out), *files(folder, out)})
        if _content(root / path) != _content(folder / path)
    ]


def files(root: Path, out: str) -> Iterator[str]:
    """Yield the paths of an output's files, relative to the root."""
    if (root / out).is_file():
        yield out
    for folder, _, names in os.walk(root / out):
        for name in names:
            if not (name.startswith(".") and name.endswith(".partial")):
                yield (Path(folder) / name).relative_to(root).as_posix()


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def half_made(entry: Entry, root: Path, folder: Path) -> list[str]:
    """Return the output files that are there and not the recorded ones: half a result that looks like one."""
    return [
        path
        for out in entry.outs
        for path in files(folder, out)
        if _content(root / path) != _content(folder / path)
    ]
