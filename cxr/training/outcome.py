"""What a stage keeps of the networks it trained: the model, their learning curves and what val said."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cxr import artifacts
from cxr.training import calibrating, loop, models
from cxr.training.recipe import Recipe


def keep(
    trained: list[models.Saved], recipe: Recipe, *, labels: list[str], size_px: int,
    model: Path, report: Path, words: str,
) -> str:  # fmt: skip
    """Write the model and the report of one network per fold; return what came of it in one line.

    `words` name the stage's item in what is said of a temperature at its bound.
    """
    calibrating.tell_bounds([one.temperature for one in trained], words=words)
    with artifacts.folder(model) as folder:
        config = models.save(folder, recipe, trained, labels=labels, size_px=size_px)
    fitted = [one.fitted for one in trained]
    history = pd.DataFrame(
        [row for fold, f in enumerate(fitted) for row in loop.history_rows(f, fold=fold)]
    )
    summary = summarise(fitted)
    if recipe.calibration == "temperature":
        summary["temperature"] = sum(one.temperature for one in trained) / len(trained)
    artifacts.write_json(report / "metrics.json", {**summary, "macs": config["macs"]})
    artifacts.write_csv(report / "plots" / "history.csv", history)
    draw_history(report / "plots" / "history.png", history, title=model.name)
    return (
        f"{len(trained)} network(s) of {config['parameters']:,} parameters, val AUROC "
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
