"""Fine-tune all cuts of a project's parent, as `finish` does, the evolved shapes from scratch, the parent too.

Run in a project folder (see prune_data) after the stages transfer and prune. Each training is on record
as soon as it ends. What is handed over is, fold by fold, the cut of one of the methods: a training that
two cuts share is made once, since the batches of a fold are the same for all.

From scratch means: fresh weights, drawn as for the parent's layers and set to what the labels alone say,
as every new network's are; from these the same channels are cut. Everything else is as in finish:
recalibration, batches, epochs, optimizer, the parent as teacher.

The parent trained on is the cut that keeps everything, its own teacher: beside it, what a cut gains on
the parent is not taken for pruning's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cxr import artifacts, manifest, numerics, params, prepared, progress, workers
from cxr.pruning import cuts, parent, tuning
from cxr.pruning.contest import EVOLVED
from cxr.training import models, network, records
from cxr.training.network import Network
from stages import finish
from tests.bench.prune_data import RUN
from tests.bench.prune_rows import SCRATCH, TRAINED_ON, WHOLE
from tests.bench.prune_teacher import Remembering

MADE = "data/tuned.json"
"""The names of what was fine-tuned, by the share of the MACs in per cent and the method."""
_RECORDS = Path("data/tuning")


@dataclass(frozen=True, kw_only=True)
class Uncut(cuts.Cut):
    """All channels stay, and no method chose them."""

    def __post_init__(self) -> None:
        """Don't ask for a method."""


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
    """Return the cuts of a pruning by name, fold by fold.

    `scratch_<percent>` has evolved's channels, `trained_on_100` all of them.
    """
    names = list(artifacts.read_json(folder / "fold-0.json"))
    found = {name: cuts.read(folder, model, name) for name in names}
    shapes = {
        name.replace(EVOLVED, SCRATCH): own
        for name, own in found.items()
        if name.startswith(f"{EVOLVED}_")
    }
    whole = Uncut(kept={}, macs=models.config(model)["macs"], origin="")
    folds = len(next(iter(found.values())))
    return {**found, **shapes, f"{TRAINED_ON}_{WHOLE}": [whole] * folds}


def plan(chosen: Mapping[str, Sequence[cuts.Cut]]) -> dict[str, list[Work]]:
    """Return the trainings of each cut, fold by fold, by finish's own settings."""
    settings, seed = params.load(finish.Params, f"finish.recipes.{RUN}"), params.seed()
    folds = parent.folds(
        finish.MODELS / RUN, finish.PREPARED, artifacts.read_csv(finish.SPLITS),
        recalibration_images=params.value(f"prune.recipes.{RUN}.recalibration_images"),
        reconstruct=params.value(f"prune.recipes.{RUN}.reconstruct"), seed=seed,
    )  # fmt: skip
    found = {}
    for name, own in chosen.items():
        tasks = finish.plan(folds, list(own), settings, seed=seed, folder=_RECORDS)
        found[name] = [recorded(task, fresh=name.startswith(f"{SCRATCH}_")) for task in tasks]
    return found


def recorded(task: tuning.Task, *, fresh: bool = False) -> Work:
    """Name the record by all that tells a fold's trainings apart: the channels, and the start."""
    name = f"fold-{task.fold.number}-{cuts.digest(task.kept)}{'-fresh' * fresh}.safetensors"
    return Work(dataclasses.replace(task, record=task.record.with_name(name)), fresh)


def train(work: Work) -> models.Saved:
    """Train, or take it from its record where there is one."""
    return records.kept(work.task.record, lambda: _train(work))


def _train(work: Work) -> models.Saved:
    """Do what `tuning` does, with a teacher that remembers, and maybe with a student of fresh weights."""
    numerics.exact_torch()
    task, fold = work.task, work.task.fold
    whole = models.load(fold.model, fold.number).network
    memory = task.record.with_name(f"taught-{fold.number}.safetensors")
    teacher = Remembering(whole, task.distillation, memory=memory)
    student = _fresh(task) if work.fresh else models.load(fold.model, fold.number).network
    found = tuning.train(task, student, teacher)
    teacher.keep()
    return found


def _fresh(task: tuning.Task) -> Network:
    """Return a network of the parent's shape as `transfer` would begin with it, without its weight file."""
    fold = task.fold
    index = prepared.read(fold.prepared_folder).index.iloc[fold.train_rows]
    labels_NL = manifest.label_array(index)
    built = network.build(
        task.recipe, labels=labels_NL.shape[1], seed=task.seed, fold=fold.number, pretrained=False
    )
    network.start(built, task.recipe, labels_NL)
    return built


if __name__ == "__main__":
    from tests.bench import prune_tuning

    prune_tuning.main()  # by its own name, under which workers find `train`
