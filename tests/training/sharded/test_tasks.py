"""Tasks come out as they went in, and lead nowhere else."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxr.training.folds import Lesson, Task
from cxr.training.recipe import Distillation
from cxr.training.sharded import tasks
from tests.training.sharded.project import everything

LABELS_NL = np.array([[0, 1, np.nan], [1, 0, 1]], np.float32)
TASK = Task(
    everything(weights={"file": "data/raw/weights/x.safetensors", "sha256": "0" * 64}),
    Path("data/prepared"),
    np.asfortranarray(LABELS_NL),  # as pandas gives them
    np.arange(5),
    np.arange(2),
    np.arange(0),
    fold=1,
    seed=7,
    start=Path("data/searched/a/fold-1.safetensors"),
    lesson=Lesson(Path("data/models/teacher"), Distillation(weight=0.5, temperature=2.0)),
)


def words(**changes: Any) -> dict[str, Any]:
    return {**json.loads(tasks.pack(TASK)[0]), **changes}


@pytest.mark.parametrize("changes", [{}, {"start": None, "lesson": None}])
def test_a_task_comes_out_as_it_went_in(changes: dict[str, Any]) -> None:
    wanted = dataclasses.replace(TASK, **changes)
    said, arrays = tasks.pack(wanted)
    found = tasks.unpack(json.loads(said), arrays)
    for field in dataclasses.fields(Task):
        one, other = getattr(found, field.name), getattr(wanted, field.name)
        if isinstance(one, np.ndarray):
            assert np.array_equal(one, other, equal_nan=one.dtype == np.float32)
            assert one.dtype == other.dtype
        else:
            assert one == other


@pytest.mark.parametrize("path", ["/etc", "../elsewhere", "data/../../x"])
@pytest.mark.parametrize("key", ["prepared_folder", "start", "lesson"])
def test_a_path_out_of_the_project_is_refused(key: str, path: str) -> None:
    value = {**words()["lesson"], "teacher": path} if key == "lesson" else path
    with pytest.raises(ValueError, match="which is not in the project's folder"):
        tasks.unpack(words(**{key: value}), tasks.pack(TASK)[1])


def test_what_is_no_task_is_refused() -> None:
    arrays = tasks.pack(TASK)[1]
    with pytest.raises(ValueError, match=r"the task\.folds is unknown"):
        tasks.unpack(words(folds=2), arrays)
    with pytest.raises(ValueError, match="the task must be a mapping"):
        tasks.unpack([], arrays)
    with pytest.raises(ValueError, match="the task's arrays can't be read"):
        tasks.unpack(words(), arrays[:-1])
    with pytest.raises(ValueError, match="the task's arrays must be labels_NL, train_rows"):
        tasks.unpack(words(), tasks.save({"labels_NL": LABELS_NL}))
