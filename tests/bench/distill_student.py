"""One student of `make bench-distill`, in a project folder after transfer and prune: the step of distill.py.

`python -m tests.bench.distill_student alone`: the cut of the study, fine-tuned as stage finish does it, but
for what LESSONS says. All students start from the same weights and see the same batches.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path

from cxr import artifacts, numerics, params, progress, workers
from cxr.pruning import cuts, parent, tuning
from cxr.training.recipe import Distillation
from stages import finish
from tests.bench.distill import ALONE, BRIEF, CUT, TAUGHT, TEACHER

BRIEF_EPOCHS = 36
"""of a student without a teacher: where val was best of 12, 36 and 80 (seed 100)"""
LESSONS: Mapping[str, tuple[bool, int | None]] = {
    TAUGHT: (True, None), ALONE: (False, None), BRIEF: (False, BRIEF_EPOCHS),
}  # fmt: skip
"""Whether it has its teacher, and its epochs if they are not the study's."""


def settings(student: str, studied: finish.Params) -> finish.Params:
    """Return the study's settings with what is other for this student."""
    taught, epochs = LESSONS[student]
    distillation = studied.distillation if taught else Distillation(weight=0.0, temperature=1.0)
    epochs = min(epochs or studied.epochs, studied.epochs)  # tiny trials stay tiny
    return dataclasses.replace(studied, distillation=distillation, epochs=epochs)


def main(student: str) -> None:
    """Fine-tune one network for each fold and write data/models/<teacher>-<student>."""
    numerics.enter()
    numerics.exact_torch()
    own = settings(student, params.load(finish.Params, f"finish.recipes.{TEACHER}"))
    model, seed = finish.MODELS / TEACHER, params.seed()
    chosen = cuts.read(finish.PRUNED / TEACHER, model, CUT)
    folds = parent.folds(
        model, finish.PREPARED, artifacts.read_csv(finish.SPLITS),
        recalibration_images=params.value(f"prune.recipes.{TEACHER}.recalibration_images"),
        reconstruct=params.value(f"prune.recipes.{TEACHER}.reconstruct"), seed=seed,
    )  # fmt: skip
    tasks = finish.plan(folds, chosen, own, seed=seed, folder=Path("data/students") / student)
    tuned = workers.run(tuning.fine_tune, tasks, words=student)
    progress.say(f"{student}: {finish.keep(TEACHER, student, tasks, tuned, chosen)}")


if __name__ == "__main__":
    main(sys.argv[1])
