"""A fold's training as two messages, its words as JSON and its arrays as safetensors: no pickle travels."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from cxr import params
from cxr.training.folds import Lesson, Task
from cxr.training.recipe import Distillation, Recipe

_ARRAYS = ("labels_NL", "train_rows", "val_rows", "calibration_rows")


@dataclass(frozen=True, kw_only=True)
class _Lesson:
    teacher: str
    settings: Distillation


@dataclass(frozen=True, kw_only=True)
class _Words:
    """What a task says but for its arrays."""

    recipe: Recipe
    prepared_folder: str
    fold: int
    seed: int
    start: str | None
    lesson: _Lesson | None


def pack(task: Task) -> tuple[bytes, bytes]:
    """Return the two messages."""
    lesson = task.lesson
    words: dict[str, Any] = {
        "recipe": dataclasses.asdict(task.recipe),
        "prepared_folder": task.prepared_folder.as_posix(),
        "fold": task.fold,
        "seed": task.seed,
        "start": task.start.as_posix() if task.start else None,
        "lesson": lesson and {
            "teacher": lesson.teacher.as_posix(), "settings": dataclasses.asdict(lesson.settings),
        },
    }  # fmt: skip
    # safetensors writes the memory of an array as it lies, in another order too
    arrays = {name: np.ascontiguousarray(getattr(task, name)) for name in _ARRAYS}
    return json.dumps(words).encode(), save(arrays)


def unpack(words: Any, arrays: bytes) -> Task:
    """Return the task of both messages, the first read as JSON.

    Raises ValueError for what is no task, and for a path that leads out of the project's folder.
    """
    found = params.build(_Words, words, where="the task")
    try:
        content = load(arrays)
    except SafetensorError as error:
        raise ValueError(f"the task's arrays can't be read: {error}") from None
    if sorted(content) != sorted(_ARRAYS):
        raise ValueError(f"the task's arrays must be {', '.join(_ARRAYS)}, not {sorted(content)}")
    lesson = found.lesson
    return Task(
        found.recipe, _inside(found.prepared_folder), **content, fold=found.fold, seed=found.seed,
        start=_inside(found.start) if found.start else None,
        lesson=Lesson(_inside(lesson.teacher), lesson.settings) if lesson else None,
    )  # fmt: skip


def _inside(path: str) -> Path:
    """Return a path under the folder that this process works in; raise ValueError for any other."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise ValueError(f"the task names {path!r}, which is not in the project's folder")
    return Path(pure)
