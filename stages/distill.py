"""distill: train a run's network once more from its start, taught by another run of transfer.

All is as it was in transfer, first weights, batches and epochs too, but a teacher has its word in the
loss: what the student gains over itself is the teacher's. Fold by fold, each with the teacher of its own
fold, which saw no image that the fold tests. Only train and val are seen, and the calibration images
where the recipe asks for it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from cxr.training.recipe import Distillation as Params
from stages._stage import run

if TYPE_CHECKING:
    from cxr.training import folds

PREPARED, MODELS, SPLITS = Path("data/prepared"), Path("data/models"), Path("data/splits.csv")


def taught(
    work: list[folds.Task], student: Path, teacher: Path, settings: Params
) -> list[folds.Task]:
    """Give each fold's task its own recipe and its teacher; raise ValueError if the two don't fit.

    And where the student started from weights that only its search knows.
    """
    from cxr.training import folds, models

    if models.shared_recipe(student).weights == "searched":
        raise ValueError(
            f"{student} started from the weights that its search left, and distill would start from "
            f"scratch: write `weights: null` into transfer.recipes.{student.name}, or take that run "
            "out of distill.runs"
        )
    learns, teaches = (models.config(folder) for folder in (student, teacher))
    if learns["folds"] != len(work):
        raise ValueError(
            f"{student} has {learns['folds']} fold(s), data/splits.csv has {len(work)}: run `dvc repro`"
        )
    for key in ("folds", "labels", "size_px"):
        if learns[key] != teaches[key]:
            raise ValueError(
                f"{teacher} has {key} {teaches[key]}, {student} has {learns[key]}: run `dvc repro`"
            )
    if (learns["loss"] == "cross_entropy") != (teaches["loss"] == "cross_entropy"):
        raise ValueError(
            f"{student} was trained with {learns['loss']}, {teacher} with {teaches['loss']}: one loss "
            "knows one label per image, the other any number; give both one of a kind"
        )
    lesson = folds.Lesson(teacher, settings)
    return [
        dataclasses.replace(task, recipe=models.recipe(student, task.fold), lesson=lesson)
        for task in work
    ]


def main(name: str) -> str:
    from cxr import artifacts, manifest, numerics, params, prepared, progress, scratch
    from cxr.training import folds, models, outcome
    from cxr.training.sharded import parallel

    settings, seed = params.load(Params, f"distill.recipes.{name}"), params.seed()
    student, teacher = MODELS / name, MODELS / str(params.value("distill.teacher"))
    numerics.exact_torch()
    images, recipe = prepared.read(PREPARED), models.shared_recipe(student)
    work = folds.tasks(
        recipe, images.index, artifacts.read_csv(SPLITS), prepared_folder=PREPARED, seed=seed
    )
    work = taught(work, student, teacher, settings)
    progress.say(
        f"distill@{name}: {len(work)} fold(s), at most {recipe.epochs} epochs, {teacher.name} teaches "
        f"with weight {settings.weight:g}"
    )
    records = scratch.folder(
        "distill", inputs=[PREPARED, SPLITS, student, teacher], settings=[name, seed, settings]
    )
    trained = parallel.run(work, words=f"distill@{name}", folder=records)
    line = outcome.keep(
        trained, recipe, labels=manifest.labels(images.index), size_px=images.size_px,
        model=MODELS / f"{name}-taught", report=Path("reports/distill") / name,
        words=f"distill@{name}",
    )  # fmt: skip
    scratch.finish(records)
    return line


if __name__ == "__main__":
    run("distill", main, Params, item="run")
