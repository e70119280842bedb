"""transfer: train one recipe's network on the prepared images, one network per fold of the split.

The network is a timm backbone, from scratch or from a local weight file, or the one that a search
found for the fold, with a head of our own. Only train and val are seen: val chooses the epoch. Test
images are left to evaluate.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cxr.training.recipe import Recipe as Params
from stages._stage import run

if TYPE_CHECKING:
    import pandas as pd

    from cxr.training import loop, models


SEARCHED = Path("data/searched")


@dataclass(frozen=True, kw_only=True)
class Searched:
    """What `backbone_options` says where `backbone` is searched."""

    search: str
    """a run of search"""
    pick: Literal["evolved", "random", "grid"]
    """which method's network, of those that the search has"""


def tasks(
    recipe: Params, index: pd.DataFrame, splits: pd.DataFrame, *, prepared_folder: Path, seed: int
) -> list[models.Task]:
    """Return one training task per fold; `index` lists the prepared images in their order."""
    from cxr import manifest, prepared
    from cxr.training import models

    labels_NL = manifest.label_array(index)
    rows = zip(*(prepared.rows(index, splits, part) for part in ("train", "val")), strict=True)
    return [
        models.Task(recipe, prepared_folder, labels_NL, train, val, fold, seed)
        for fold, (train, val) in enumerate(rows)
    ]


def with_searched(work: list[models.Task], *, root: Path = SEARCHED) -> list[models.Task]:
    """Give each fold's task the architecture that the search found for that fold.

    With `weights: searched` training starts from the weights that the search left. Raises
    ValueError if the search has another number of folds.
    """
    from cxr import artifacts, params

    recipe = work[0].recipe
    wanted = params.build(Searched, recipe.backbone_options, where="backbone_options")
    folder = root / wanted.search
    found = artifacts.read_json(folder / "architectures.json")["folds"]
    if len(found) != len(work):
        raise ValueError(
            f"{folder} holds {len(found)} fold(s), data/splits.csv has {len(work)}: run `dvc repro`"
        )
    return [
        dataclasses.replace(
            task,
            recipe=dataclasses.replace(recipe, backbone_options=found[task.fold][wanted.pick]),
            start=folder / f"fold-{task.fold}-{wanted.pick}.safetensors"
            if recipe.weights == "searched"
            else None,
        )
        for task in work
    ]


def main(name: str) -> str:
    import pandas as pd

    from cxr import artifacts, manifest, numerics, params, prepared, progress, workers
    from cxr.training import loop, models

    recipe = params.load(Params, f"transfer.recipes.{name}")
    seed = params.seed()
    numerics.exact_torch()
    images = prepared.read(Path("data/prepared"))
    work = tasks(
        recipe, images.index, artifacts.read_csv(Path("data/splits.csv")),
        prepared_folder=Path("data/prepared"), seed=seed,
    )  # fmt: skip
    if recipe.backbone == "searched":
        work = with_searched(work)
    progress.say(
        f"transfer@{name}: {recipe.backbone} {'from its weights' if recipe.weights else 'from scratch'}, "
        f"{len(work)} fold(s) of {len(work[0].train_rows)} images, at most {recipe.epochs} epochs"
    )
    fitted = workers.run(models.fit_fold, work, words=f"transfer@{name}")
    with artifacts.folder(Path("data/models") / name) as folder:
        config = models.save(
            folder,
            recipe,
            [
                models.Saved(f, task.recipe.backbone_options, pruning={})
                for f, task in zip(fitted, work, strict=True)
            ],
            labels=manifest.labels(images.index),
            size_px=images.size_px,
        )
    history = pd.DataFrame(
        [row for fold, f in enumerate(fitted) for row in loop.history_rows(f, fold=fold)]
    )
    summary = summarise(fitted)
    report = Path("reports/transfer") / name
    artifacts.write_json(report / "metrics.json", {**summary, "macs": config["macs"]})
    artifacts.write_csv(report / "plots" / "history.csv", history)
    draw_history(report / "plots" / "history.png", history, title=name)
    return (
        f"{len(work)} network(s) of {config['parameters']:,} parameters, val AUROC "
        f"{summary['val_auroc']:.3f}, val accuracy {summary['val_accuracy']:.3f}"
    )


def summarise(fitted: list[loop.Fitted]) -> dict[str, float]:
    """Return means over folds of what val said at the kept epoch."""
    kept = [next(line for line in f.history if line.epoch == f.best_epoch) for f in fitted]
    return {
        "folds": len(kept),
        "best_epoch": sum(line.epoch for line in kept) / len(kept),
        "val_loss": sum(line.val_loss for line in kept) / len(kept),
        "val_auroc": sum(line.val_auroc for line in kept) / len(kept),
        "val_accuracy": sum(line.val_accuracy for line in kept) / len(kept),
    }


def draw_history(path: Path, history: pd.DataFrame, *, title: str) -> None:
    """Draw loss and val metrics over epochs, one line per fold."""
    from cxr import artifacts

    figure, axes = artifacts.new_figure(9.0, 3.4, columns=2)
    for _, fold in history.groupby("fold"):
        axes[0].plot(fold["epoch"], fold["train_loss"], color="C0", alpha=0.8, label="train")
        axes[0].plot(fold["epoch"], fold["val_loss"], color="C1", alpha=0.8, label="val")
        axes[1].plot(fold["epoch"], fold["val_auroc"], color="C2", alpha=0.8, label="val AUROC")
        axes[1].plot(
            fold["epoch"], fold["val_accuracy"], color="C3", alpha=0.8, label="val accuracy"
        )
    axes[0].set(title=f"{title}: loss", xlabel="epoch", ylabel="loss", ylim=(0, None))
    axes[1].set(title=f"{title}: validation", xlabel="epoch", ylim=(None, 1.0))
    for axis in axes:
        axis.xaxis.get_major_locator().set_params(integer=True)
        handles, words = axis.get_legend_handles_labels()
        first = {
            word: handle for handle, word in zip(reversed(handles), reversed(words), strict=True)
        }
        axis.legend(list(reversed(first.values())), list(reversed(first)))
    artifacts.write_figure(path, figure)


if __name__ == "__main__":
    run("transfer", main, Params, item="run")
