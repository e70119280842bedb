"""export: write a model as ONNX, one file per fold, and check that it scores as PyTorch does.

The file takes grey images of the prepared size, float32 0..255, named `images` (N, 1, S, S), and
gives `probabilities` (N, labels), already calibrated if the model is. It scores an image once, as it
is, whatever `test_views` says: metadata.json tells where the model's own figures are means over more.
It is compared on val images; test images are left to evaluate.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages._stage import run

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from cxr import exporting

MODELS, PREPARED, SPLITS = Path("data/models"), Path("data/prepared"), Path("data/splits.csv")
EXPORTED, REPORTS = Path("data/exported"), Path("reports/export")


def tasks(
    model: Path, prepared_folder: Path, index: pd.DataFrame, splits: pd.DataFrame, *, folds: int
) -> list[exporting.Task]:
    """Return one task per fold with its val images; `index` lists the prepared images in order.

    Raises ValueError if the split has another number of folds than the model.
    """
    from cxr import exporting, prepared

    rows = prepared.rows(index, splits, "val")
    if len(rows) != folds:
        raise ValueError(
            f"{model} has {folds} fold(s), the split has {len(rows)}: run `dvc repro` so that both "
            "come from the same data"
        )
    return [exporting.Task(model, fold, prepared_folder, val) for fold, val in enumerate(rows)]


def describe(
    model: str, config: Mapping[str, Any], exported: list[exporting.Exported], *, together: bool
) -> dict[str, Any]:
    """Return what a user of the files needs to know; `config` is the model's.

    `together`: the model's figures are of the mean of its networks (split.test: held_out).
    """
    from cxr import exporting

    size_px, labels = config["size_px"], config["labels"]
    names = [file_name(fold) for fold in range(len(exported))]
    values = "probability of each label, in the order of labels"
    if together:
        values += f"; the model's reported figures are of the mean of all {len(names)} files'"
    if config["test_views"] > 1:
        values += (
            ", of one view: the image as it is; the model's reported figures are of the mean over it "
            f"and {config['test_views'] - 1} augmented view(s)"
        )
    found = {
        **exporting.metadata(model, config),
        "backbone": config["backbone"],
        "opset": exporting.OPSET,
        "input": {
            "name": exporting.INPUT,
            "type": "float32",
            "shape": ["batch", 1, size_px, size_px],
            "values": "grey 0 (black) to 255 (white), prepared as data/prepared is",
        },
        "output": {
            "name": exporting.OUTPUT,
            "type": "float32",
            "shape": ["batch", len(labels)],
            "values": values,
        },
        "files": {
            name: hashlib.sha256(one.content).hexdigest()
            for name, one in zip(names, exported, strict=True)
        },
    }
    if exporting.calibrated(config):
        temperatures = [one.temperature for one in exported]
        found["temperatures"] = dict(zip(names, temperatures, strict=True))
    return found


def file_name(fold: int) -> str:
    """Return the name of a fold's ONNX file."""
    return f"fold-{fold}.onnx"


def main(model: str) -> str:
    from cxr import artifacts, exporting, prepared, progress, workers
    from cxr.training import models

    folder = MODELS / model
    config, images = models.config(folder), prepared.read(PREPARED)
    if images.size_px != config["size_px"]:
        raise ValueError(
            f"{folder} takes images of {config['size_px']} px, {PREPARED} has {images.size_px} px: "
            "run `dvc repro` so that both come from the same data"
        )
    splits = artifacts.read_csv(SPLITS)
    tests = prepared.rows(images.index, splits, "test")
    together = len(tests) > 1 and all(rows.tolist() == tests[0].tolist() for rows in tests)
    work = tasks(folder, PREPARED, images.index, splits, folds=config["folds"])
    progress.say(f"export@{model}: {config['backbone']}, {len(work)} fold(s)")
    exported = workers.run(exporting.export_fold, work, words=f"export@{model}")
    with artifacts.folder(EXPORTED / model) as out:
        for fold, one in enumerate(exported):
            artifacts.write_bytes(out / file_name(fold), one.content)
        artifacts.write_json(
            out / "metadata.json", describe(model, config, exported, together=together)
        )
    largest = max(len(one.content) for one in exported)
    result = {"onnx_bytes": largest, "opset": exporting.OPSET, "folds": len(work), "agrees": True}
    artifacts.write_json(REPORTS / model / "metrics.json", result)
    return (
        f"{len(work)} ONNX file(s) of at most {largest / 1e6:.1f} MB; onnxruntime and PyTorch differ "
        f"by at most {max(one.difference for one in exported):.1e}"
    )


if __name__ == "__main__":
    run("export", main, None, item="model")
