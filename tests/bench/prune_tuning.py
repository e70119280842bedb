"""Fine-tune all cuts of a project's parent, as `finish` does, and the evolved shapes from scratch.

Run in a project folder (see prune_data) after the stages transfer and prune. Each training is on record
as soon as it ends. What is handed over is, fold by fold, the cut of one of the methods: a training that
two cuts share is made once, since the batches of a fold are the same for all.

From scratch means: fresh weights, drawn as for the parent's layers, from which the same channels are cut.
Everything else is as in finish: recalibration, batches, epochs, optimizer, the parent as teacher.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from cxr import artifacts, numerics, params, progress, scratch, workers
from cxr.pruning import cuts, parent, tuning
from cxr.pruning.contest import EVOLVED
from cxr.training import models, network
from stages import finish
from tests.bench.prune_data import RUN
from tests.bench.prune_rows import SCRATCH

MADE = "data/tuned.json"
"""The names of what was fine-tuned, by the share of the MACs in per cent and the method."""
_RECORDS = Path("data/tuning")
_SAVED = tuple[dict[str, Tensor], dict[str, Any]]


@dataclass(frozen=True)
class Work:
    """One training, as a worker receives it."""

    task: tuning.Task
    fresh: bool
    """from weights that were never trained"""


def main() -> None:
    """Fine-tune and write data/models/<run>-<cut> of every cut and, from scratch, of every evolved one."""
    numerics.enter()
    numerics.exact_torch()
    chosen = all_cuts(finish.PRUNED / RUN, finish.MODELS / RUN)
    work = plan(chosen)
    distinct = {one.task.record: one for own in work.values() for one in own}
    progress.say(
        f"fine-tuning: {len(chosen)} cuts of {len(next(iter(work.values())))} fold(s), "
        f"{len(distinct)} trainings, {sum(x.is_file() for x in distinct)} of them on record"
    )
    tuned = workers.run(train, list(distinct.values()), words="fine-tuning")
    found = dict(zip(distinct, tuned, strict=True))
    for name, own in work.items():
        tasks, saved = [one.task for one in own], [found[one.task.record] for one in own]
        progress.say(f"{name}: {finish.keep(RUN, name, tasks, saved, chosen[name])}")
    artifacts.write_json(Path(MADE), sorted(chosen))


def all_cuts(folder: Path, model: Path) -> dict[str, list[cuts.Cut]]:
    """Return the cuts of a pruning by name, fold by fold; `scratch_<percent>` has evolved's channels."""
    names = list(artifacts.read_json(folder / "fold-0.json"))
    found = {name: cuts.read(folder, model, name) for name in names}
    shapes = {
        name.replace(EVOLVED, SCRATCH): own
        for name, own in found.items()
        if name.startswith(f"{EVOLVED}_")
    }
    return {**found, **shapes}


def plan(chosen: Mapping[str, Sequence[cuts.Cut]]) -> dict[str, list[Work]]:
    """Return the trainings of each cut, fold by fold, by finish's own settings."""
    settings, seed = params.load(finish.Params, f"finish.recipes.{RUN}"), params.seed()
    folds = parent.folds(
        finish.MODELS / RUN, finish.PREPARED, artifacts.read_csv(finish.SPLITS),
        recalibration_images=params.value(f"prune.recipes.{RUN}.recalibration_images"), seed=seed,
    )  # fmt: skip
    found = {}
    for name, own in chosen.items():
        tasks = finish.plan(folds, list(own), settings, seed=seed, folder=_RECORDS)
        found[name] = [_work(task, fresh=name.startswith(f"{SCRATCH}_")) for task in tasks]
    return found


def _work(task: tuning.Task, *, fresh: bool) -> Work:
    """Name the record by all that tells a fold's trainings apart: the channels, and the start."""
    digest = hashlib.sha256(artifacts.canonical_json(dict(task.kept)).encode()).hexdigest()[:16]
    name = f"fold-{task.fold.number}-{digest}{'-fresh' if fresh else ''}.safetensors"
    return Work(dataclasses.replace(task, record=task.record.with_name(name)), fresh)


def train(work: Work) -> models.Saved:
    """Train, or take it from its record where there is one."""
    if not work.fresh:
        return tuning.fine_tune(work.task)
    # fine_tune finds what it would have made
    scratch.tensors(work.task.record, lambda: _from_scratch(work.task))
    return tuning.fine_tune(work.task)


def _from_scratch(task: tuning.Task) -> _SAVED:
    """Do what `tuning` does, with another student: one whose weights are fresh."""
    numerics.exact_torch()
    fold = task.fold
    labels = len(models.config(fold.model)["labels"])
    student = network.build(
        task.recipe, labels=labels, seed=task.seed, fold=fold.number, pretrained=False
    )
    return tuning.train(task, student)


if __name__ == "__main__":
    from tests.bench import prune_tuning

    prune_tuning.main()  # by its own name, under which workers find `train`
