"""What was evaluated stays: one small file per task, so that a restart evaluates only the rest.

A task's *key* says, with the name of the folder, all that its result depends on. The process that
worked on a task writes its record at once, whole or not at all; so `kill -9` loses no more than the
tasks in progress, and a search that is started again replays its finished part from the records.
"""

from __future__ import annotations

import functools
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
    missing = [(key, task) for key, task in tasks.items() if _read(folder, key) is None]
    workers.run(functools.partial(_work, function, folder), missing, words=words)
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


def _work(function: Callable[[Task], dict[str, Any]], folder: Path, task: tuple[str, Task]) -> None:
    """Evaluate one task and put its result on record, in the process that worked."""
    key, content = task
    record = {"key": key, "result": function(content)}
    try:
        artifacts.write_json(_path(folder, key), record)
    except ValueError as error:  # NaN or infinite
        raise ValueError(f"the result of {key} is no number ({error}): did it diverge?") from None
