"""finish: cut a transferred network as `prune` said, fine-tune what is left, calibrate it.

Fold by fold, each with its own channels: what stays is refitted to do the work of what goes, as prune
did, BatchNorm's statistics are taken anew, and the network is trained on train with its parent as teacher, and val chooses the epoch. It gets a temperature of its own
if the parent has one. Test images are left to evaluate.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxr.training.recipe import Distillation, Optimizer
from stages._stage import run

if TYPE_CHECKING:
    from cxr.pruning.cuts import Cut
    from cxr.pruning.parent import Fold
    from cxr.training import models

MODELS, PRUNED = Path("data/models"), Path("data/pruned")
PREPARED, SPLITS = Path("data/prepared"), Path("data/splits.csv")


@dataclass(frozen=True, kw_only=True)
class Params:
    """How a cut network is fine-tuned; whatever is not named here stays as its parent's recipe has it."""

    epochs: int
    """of fine-tuning, at most"""
    optimizer: Optimizer
    """of fine-tuning"""
    distillation: Distillation
    """how much the parent teaches"""

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, not {self.epochs}")


def main(name: str, cut: str) -> str:
    from cxr import artifacts, numerics, params, progress, scratch, workers
    from cxr.pruning import cuts, parent, tuning

    settings, seed = params.load(Params, f"finish.recipes.{name}"), params.seed()
    shown = params.value(f"prune.recipes.{name}.recalibration_images")
    reconstruct = params.value(f"prune.recipes.{name}.reconstruct")
    numerics.exact_torch()
    words, model = f"finish@{name}-{cut}", MODELS / name
    chosen = cuts.read(PRUNED / name, model, cut)
    folds = parent.folds(
        model, PREPARED, artifacts.read_csv(SPLITS),
        recalibration_images=shown, reconstruct=reconstruct, seed=seed,
    )  # fmt: skip
    progress.say(
        f"{words}: {len(folds)} fold(s), at most {max(one.macs for one in chosen):,} MACs, at most "
        f"{settings.epochs} epochs"
    )
    work = scratch.folder(
        "finish",
        inputs=[model, PRUNED / name, PREPARED, SPLITS],
        settings=[name, cut, seed, settings, shown, reconstruct],
    )
    tasks = plan(folds, chosen, settings, seed=seed, folder=work)
    tuned = workers.run(tuning.fine_tune, tasks, words=words)
    line = keep(name, cut, tasks, tuned, chosen)
    scratch.finish(work)
    return line


def plan(
    folds: list[Fold], chosen: list[Cut], settings: Params, *, seed: int, folder: Path
) -> list[Any]:
    """Return each fold's task: the parent's recipe with the epochs and the optimizer of `settings`."""
    from cxr.pruning import tuning
    from cxr.training import models

    return [
        tuning.Task(
            fold=fold,
            kept=own.kept,
            recipe=dataclasses.replace(
                models.recipe(fold.model, fold.number),
                epochs=settings.epochs,
                optimizer=settings.optimizer,
            ),
            distillation=settings.distillation,
            seed=seed,
            record=folder / f"fold-{fold.number}.safetensors",
        )
        for fold, own in zip(folds, chosen, strict=True)
    ]


def keep(
    name: str, cut: str, tasks: list[Any], tuned: list[models.Saved], chosen: list[Cut]
) -> str:
    """Write the model and its report; return what came of it in one line."""
    import pandas as pd

    from cxr import artifacts
    from cxr.training import calibrating, loop, models, outcome

    parent, finished = MODELS / name, MODELS / f"{name}-{cut}"
    about, shared = models.config(parent), models.shared_recipe(parent)
    recipe = dataclasses.replace(tasks[0].recipe, backbone_options=shared.backbone_options)
    calibrating.tell_bounds([one.temperature for one in tuned], words=f"finish@{finished.name}")
    with artifacts.folder(finished) as folder:
        models.save(folder, recipe, tuned, labels=about["labels"], size_px=about["size_px"])
    rows = [x for fold, one in enumerate(tuned) for x in loop.history_rows(one.fitted, fold=fold)]
    found, report = metrics(tuned, chosen, finished), Path("reports/finish") / finished.name
    artifacts.write_json(report / "metrics.json", found)
    artifacts.write_csv(report / "plots" / "history.csv", pd.DataFrame(rows))
    outcome.draw_history(report / "plots" / "history.png", pd.DataFrame(rows), title=finished.name)
    return (
        f"{len(tuned)} network(s) of at most {found['parameters']:,} parameters and {found['macs']:,} "
        f"MACs, {found['macs'] / about['macs']:.0%} of the parent's; val AUROC {found['val_auroc']:.3f}, "
        f"val accuracy {found['val_accuracy']:.3f}"
    )


def metrics(tuned: list[models.Saved], chosen: list[Cut], model: Path) -> dict[str, Any]:
    """Return what each fold's network of the written model costs and what val said of it.

    At the top: the means over the folds; of the costs those of the largest.
    """
    from cxr.metrics import cost
    from cxr.training import models

    folds = []
    for fold, (one, cut) in enumerate(zip(tuned, chosen, strict=True)):
        line = next(x for x in one.fitted.history if x.epoch == one.fitted.best_epoch)
        said = {key: getattr(line, key) for key in ("val_loss", "val_auroc", "val_accuracy")}
        parameters = cost.parameters(models.load(model, fold).network)
        folds.append({"best_epoch": line.epoch, "macs": cut.macs, "parameters": parameters, **said})
    assert models.config(model)["macs"] == max(cut.macs for cut in chosen), "MACs as prune counted"
    means = {
        key: sum(fold[key] for fold in folds) / len(folds)
        for key in ("val_loss", "val_auroc", "val_accuracy")
    }
    costs = {key: max(fold[key] for fold in folds) for key in ("macs", "parameters")}
    return {**means, **costs, "folds": folds}


if __name__ == "__main__":
    run("finish", main, Params, item=("run", "cut"))
