"""transfer: train one recipe's network on the prepared images, one network per fold of the split.

The network is a timm backbone, from scratch or from a local weight file, with a head of our own.
Only train and val are seen: val chooses the epoch. Test images are left to evaluate.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cxr.training.recipe import Recipe as Params
from stages._stage import run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from cxr.training import loop, models


def tasks(
    recipe: Params, index: pd.DataFrame, splits: pd.DataFrame, *, prepared_folder: Path, seed: int
) -> list[models.Task]:
    """Return one training task per fold; `index` lists the prepared images in their order."""
    from cxr import manifest
    from cxr.training import models

    labels_NL = manifest.label_array(index)
    parts = splits.set_index("image").loc[index["image"]]
    folds = [name for name in parts.columns if name.startswith("fold_")]
    return [
        models.Task(
            recipe, prepared_folder, labels_NL, _rows(parts[name], "train"), _rows(parts[name], "val"), fold, seed
        )
        for fold, name in enumerate(folds)
    ]  # fmt: skip


def _rows(part: pd.Series, wanted: str) -> np.ndarray:
    import numpy as np

    return np.flatnonzero((part == wanted).to_numpy())


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
    progress.say(
        f"transfer@{name}: {recipe.backbone} {'from its weights' if recipe.weights else 'from scratch'}, "
        f"{len(work)} fold(s) of {len(work[0].train_rows)} images, at most {recipe.epochs} epochs"
    )
    fitted = workers.run(models.fit_fold, work, words=f"transfer@{name}")
    with artifacts.folder(Path("data/models") / name) as folder:
        config = models.save(
            folder,
            recipe,
            fitted,
            labels=manifest.labels(images.index),
            size_px=images.size_px,
            seed=seed,
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
