"""What was evaluated stays: one small file per task, so that a restart evaluates only the rest.

A task's *key* says, with the name of the folder, all that its result depends on. Workers compute;
the calling process alone writes, each record as its result arrives, whole or not at all. So workers
need no folder in common with it, `kill -9` loses no more than what is in progress or on its way,
and a search that is started again replays its finished part from the records.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from cxr import artifacts, workers

Task = TypeVar("Task")


def evaluate(
    function: Callable[[Task], dict[str, Any]],
    tasks: Mapping[str, Task],
    folder: Path,
    *,
    words: str,
) -> dict[str, dict[str, Any]]:
    """Return `{key: function(task)}` in the order of `tasks`, working only where no record is.

    `function` must be importable, pure, and return what JSON can hold. Every result is read from
    its record, so a fresh one and a replayed one are the same (JSON keeps floats to the bit). A
    damaged record, or one of another key, is evaluated again.
    """
    missing = [key for key in tasks if _read(folder, key) is None]
    work = [tasks[key] for key in missing]
    with contextlib.closing(workers.arrivals(function, work, words=words)) as arriving:
        for number, fresh in arriving:
            _write(folder, missing[number], fresh)
    results = {}
    for key in tasks:
        result = _read(folder, key)
        assert result is not None, f"{_path(folder, key)} was written and can't be read"
        results[key] = result
    return results


def _path(folder: Path, key: str) -> Path:
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def _read(folder: Path, key: str) -> dict[str, Any] | None:
    """Return the result that is on record; None if there is none that can be trusted."""
    try:
        record = artifacts.read_json(_path(folder, key))
    except (FileNotFoundError, ValueError):  # ValueError: not UTF-8, or not JSON
        return None
    whole = isinstance(record, dict) and sorted(record) == ["key", "result"]
    if not whole or record["key"] != key or not isinstance(record["result"], dict):
        return None
    return dict(record["result"])


def _write(folder: Path, key: str, result: dict[str, Any]) -> None:
    """Put a result on record; raise ValueError, naming the task, if it is no number."""
    try:
        artifacts.write_json(_path(folder, key), {"key": key, "result": result})
    except ValueError as error:  # NaN or infinite
        raise ValueError(f"the result of {key} is no number ({error}): did it diverge?") from None
