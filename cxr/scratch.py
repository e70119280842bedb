"""The scratch folder of a stage's work in progress, named by all that the work depends on.

A stage that is killed and started again finds its finished pieces there, and ends with the bytes of
an uninterrupted run. Other inputs, other settings or other code have another folder, so no piece
ever meets work it does not belong to. Nothing is kept by DVC and deleting a folder by hand costs
time only. It goes when the stage is done, save the records of a search: a longer search begins
with them (`make verify` works in a clean clone, where there are none).
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxr import artifacts

if TYPE_CHECKING:
    from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent


def folder(
    stage: str, *, inputs: Sequence[Path], settings: Any, root: Path = Path("data/.scratch")
) -> Path:
    """Return the stage's folder under `root` for these inputs, settings and this code; it exists.

    `inputs` are files or folders that are read, `settings` plain values or dataclasses: whatever
    decides the result and is not in a file (the section of params.yaml, the seed, the run's name).
    """
    lines = [f"settings {_canonical(settings)}"]
    for place, path in enumerate(inputs):
        lines += [f"input {place} {line}" for line in _contents(path)]
    path = root / stage / key(*lines, code=("cxr", "stages"))
    path.mkdir(parents=True, exist_ok=True)
    return path


def key(*words: str, code: Sequence[str]) -> str:
    """Return 16 hex digits that stand for these words, this code (files, folders) and numerics.lock."""
    lines = list(words)
    for name in code:
        lines += [f"{name}/{line}" for line in _contents(ROOT / name, "*.py")]
    lines += [f"numerics.lock {line}" for line in _contents(ROOT / "numerics.lock")]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _canonical(settings: Any) -> str:
    return json.dumps(
        settings, sort_keys=True, separators=(",", ":"), allow_nan=False, default=dataclasses.asdict
    )


def _contents(path: Path, pattern: str = "*") -> Iterator[str]:
    """Yield "<name in the folder> <sha256>" for each file in order; a file alone is named "."."""
    files = sorted(path.rglob(pattern)) if path.is_dir() else [path]
    for file in files:
        if not file.is_dir():
            with file.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").hexdigest()
            yield f"{file.relative_to(path).as_posix()} {content}"


def finish(folder: Path) -> None:
    """Remove the folder, and the stage's folder around it if no other work is in it."""
    shutil.rmtree(folder)
    with contextlib.suppress(OSError):  # not empty: another run's work
        folder.parent.rmdir()


def tensors(
    path: Path, make: Callable[[], tuple[dict[str, Tensor], dict[str, Any]]]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the JSON-like metadata kept at `path`; call `make` if none are.

    What is returned was read from the file either way. A damaged file is made again.
    """
    kept = read_tensors(path)
    if kept is None:
        made, metadata = make()
        artifacts.write_tensors(path, made, metadata)
        kept = read_tensors(path)
        assert kept is not None, f"{path} was written and can't be read"
    return kept


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Return the tensors and the metadata kept at `path`; None if there are none that can be trusted."""
    from safetensors import safe_open

    try:
        found = artifacts.read_tensors(path)
    except (FileNotFoundError, ValueError):
        return None
    with safe_open(path, framework="pt") as file:
        words = (file.metadata() or {}).get("cxr")
    if words is None:
        return None
    return found, json.loads(words)
