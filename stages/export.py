"""export: write a model as ONNX, one file per fold, and check that it scores as PyTorch does.

The file takes grey images of the prepared size, float32 0..255, named `images` (N, 1, S, S), and
gives `probabilities` (N, labels), already calibrated if the model is; `strangeness` (N,), fitted on
images of train, with a threshold by val's that at most 5 % of such X-rays most likely exceed; and, where
the network ends in means of maps and one linear layer, `maps` (N, labels, h, w): what each place adds
to each label's score. It scores an image once, as it is, whatever `test_views` says: metadata.json tells
where the model's own figures are means over more. It is compared on val images; test images are left to
evaluate. Models in `export.int8` are written with whole numbers of 8 bits too (fold-<i>.int8.onnx),
calibrated on images of train; what that costs on val stands beside them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages._stage import run

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd

    from cxr import exporting

MODELS, PREPARED, SPLITS = Path("data/models"), Path("data/prepared"), Path("data/splits.csv")
EXPORTED, REPORTS = Path("data/exported"), Path("reports/export")


def tasks(
    model: Path, prepared_folder: Path, index: pd.DataFrame, splits: pd.DataFrame,
    *, folds: int, origin: exporting.Origin, seed: int | None,
) -> list[exporting.Task]:  # fmt: skip
    """Return one task per fold with its val images; `index` lists the prepared images in order.

    With a `seed` each has training images for int8 too, a keyed draw. Raises ValueError if the split
    has another number of folds than the model.
    """
    from cxr import exporting, prepared

    rows, trained = (prepared.rows(index, splits, part) for part in ("val", "train"))
    if len(rows) != folds:
        raise ValueError(
            f"{model} has {folds} fold(s), the split has {len(rows)}: run `dvc repro` so that both "
            "come from the same data"
        )
    return [
        exporting.Task(
            model=model, fold=fold, origin=origin, prepared_folder=prepared_folder, rows=val,
            trained=trained[fold],
            calibration=None if seed is None else calibration(trained[fold], seed=seed, fold=fold),
        )
        for fold, val in enumerate(rows)
    ]  # fmt: skip


def calibration(train: np.ndarray, *, seed: int, fold: int) -> np.ndarray:
    """Return the positions, ascending, of the training images that int8 is calibrated on."""
    import numpy as np

    from cxr import seeding
    from cxr.exporting import quantizing

    rng = seeding.stream(seed, "export", "int8", fold)
    return np.sort(rng.choice(train, size=min(quantizing.IMAGES, len(train)), replace=False))


def origin() -> exporting.Origin:
    """Return what the parameters say of the images that the model learned from."""
    from cxr import exporting, params

    return exporting.Origin(
        data_sets=params.value("ingest.datasets"),
        preprocessing=params.value("preprocess.steps"),
        protocol=params.value("split.protocol"),
        test=params.value("split.test"),
    )


def describe(
    model: str, config: Mapping[str, Any], made: exporting.Origin, exported: list[exporting.Exported],
    *, together: bool,
) -> dict[str, Any]:  # fmt: skip
    """Return what a user of the files needs to know; `config` is the model's.

    `together`: the model's figures are of the mean of its networks (split.test: held_out).
    """
    from cxr import exporting

    size_px, labels = config["size_px"], config["labels"]
    names = [file_name(fold) for fold in range(len(exported))]
    costs = {key: config[key] for key in ("parameters", "macs")}
    found = {
        **exporting.about(model, config, made, **costs),
        "backbone": config["backbone"],
        "opset": exporting.OPSET,
        "input": {
            "name": exporting.INPUT,
            "type": "float32",
            "shape": ["batch", 1, size_px, size_px],
            "values": "grey 0 (black) to 255 (white), prepared as preprocessing says",
        },
        "output": {
            "name": exporting.OUTPUT,
            "type": "float32",
            "shape": ["batch", len(labels)],
            "values": _values(config, len(names), together=together),
        },
        "files": {
            name: hashlib.sha256(content).hexdigest()
            for name, content in contents(exported).items()
        },
        **_maps(dict(zip(names, exported, strict=True))),
        "strangeness": {
            name: one.about["strangeness"] for name, one in zip(names, exported, strict=True)
        },
    }
    if exporting.calibrated(config):
        temperatures = [one.temperature for one in exported]
        found["temperatures"] = dict(zip(names, temperatures, strict=True))
    if whole := {file_name(i, int8=True): x.int8.costs for i, x in enumerate(exported) if x.int8}:
        found["int8"] = whole
    return found


def _values(config: Mapping[str, Any], files: int, *, together: bool) -> str:
    values = "probability of each label, in the order of labels"
    if together:
        values += f"; the model's reported figures are of the mean of all {files} files'"
    if config["test_views"] > 1:
        values += (
            ", of one view: the image as it is; the model's reported figures are of the mean over it "
            f"and {config['test_views'] - 1} augmented view(s)"
        )
    return values


def _maps(exported: Mapping[str, exporting.Exported]) -> dict[str, Any]:
    """Return what the files say of their maps, by file: networks of folds may differ."""
    said = {name: one.about for name, one in exported.items()}
    found: dict[str, Any] = {"maps": {name: about["maps"] for name, about in said.items()}}
    if lacking := {name: about["no_maps"] for name, about in said.items() if "no_maps" in about}:
        found["no_maps"] = lacking
    return found


def contents(exported: list[exporting.Exported]) -> dict[str, bytes]:
    """Return all files by name, those of int8 last."""
    files = {file_name(fold): one.content for fold, one in enumerate(exported)}
    whole = {
        file_name(fold, int8=True): one.int8.content
        for fold, one in enumerate(exported)
        if one.int8
    }
    return {**files, **whole}


def summary(exported: list[exporting.Exported]) -> dict[str, Any]:
    """Return the metrics: the largest file, how many have maps, what int8 costs in the mean over folds."""
    from cxr import exporting

    found: dict[str, Any] = {
        "onnx_bytes": max(len(one.content) for one in exported),
        "opset": exporting.OPSET,
        "folds": len(exported),
        "files_with_maps": sum(one.about["maps"] is not None for one in exported),
        "val_refused": max(one.about["strangeness"]["held_out_refused"] for one in exported),
        "agrees": True,
    }
    costs = [one.int8.costs for one in exported if one.int8]
    if costs:
        found["int8"] = {
            kind: {
                "onnx_bytes": max(fold[kind]["onnx_bytes"] for fold in costs),
                **{
                    key: _mean([x[kind][key] for x in costs])
                    for key in ("val_auroc", "val_accuracy")
                },
            }
            for kind in ("float32", "int8")
        }
    return found


def _mean(values: list[float | None]) -> float | None:
    """Return the mean; None where a value is unknown, as an AUROC that has but one side."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def file_name(fold: int, *, int8: bool = False) -> str:
    """Return the name of a fold's ONNX file."""
    return f"fold-{fold}.int8.onnx" if int8 else f"fold-{fold}.onnx"


def main(model: str) -> str:
    from cxr import artifacts, exporting, params, prepared, progress, workers
    from cxr.training import models

    folder, made = MODELS / model, origin()
    seed = params.seed() if model in params.value("export.int8") else None
    config, images = models.config(folder), prepared.read(PREPARED)
    if images.size_px != config["size_px"]:
        raise ValueError(
            f"{folder} takes images of {config['size_px']} px, {PREPARED} has {images.size_px} px: "
            "run `dvc repro` so that both come from the same data"
        )
    splits = artifacts.read_csv(SPLITS)
    together = prepared.share_test(images.index, splits)
    work = tasks(
        folder, PREPARED, images.index, splits, folds=config["folds"], origin=made, seed=seed
    )
    progress.say(f"export@{model}: {config['backbone']}, {len(work)} fold(s)")
    exported = workers.run(exporting.export_fold, work, words=f"export@{model}")
    with artifacts.folder(EXPORTED / model) as out:
        for name, content in contents(exported).items():
            artifacts.write_bytes(out / name, content)
        about = describe(model, config, made, exported, together=together)
        artifacts.write_json(out / "metadata.json", about)
    found = summary(exported)
    artifacts.write_json(REPORTS / model / "metrics.json", found)
    return _words(exported, found)


def _words(exported: list[exporting.Exported], found: Mapping[str, Any]) -> str:
    words = (
        f"{len(exported)} ONNX file(s) of at most {found['onnx_bytes'] / 1e6:.1f} MB; onnxruntime and "
        f"PyTorch differ by at most {max(one.difference for one in exported):.1e}"
    )
    whole = [one.int8.difference for one in exported if one.int8]
    if whole:
        one, other = found["int8"]["float32"], found["int8"]["int8"]
        words += (
            f"; int8 {other['onnx_bytes'] / 1e6:.1f} MB, val accuracy {other['val_accuracy']:.3f} "
            f"(float32 {one['val_accuracy']:.3f}), onnxruntime {max(whole):.1e} off in the mean"
        )
    return words


if __name__ == "__main__":
    run("export", main, None, item="model")
