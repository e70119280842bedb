"""tensorboard: what was recorded of training, search and test, shown by TensorBoard on this machine.

Curves come from the committed history.csv of each run, confusion matrices and ROC curves from the figures
of each model, test metrics and recipe stand in the HPARAMS tab. The event files hold clock times, so
they go below reports/host, which git and DVC ignore, and are written anew each time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cxr import artifacts, params

if TYPE_CHECKING:
    import pandas as pd
    from torch.utils.tensorboard import SummaryWriter

OUT = Path("reports/host/tensorboard")
STAGES = ("transfer", "distill", "finish")
FIGURES = ("confusion", "roc", "reliability")
_PARTS = ("train", "val")


def write(reports: Path, tree: Mapping[str, Any], out: Path) -> list[str]:
    """Write events of every run and model below `reports` into `out`; return their names.

    `tree` are the parameters. A run of several folds has one line for each. Raises ValueError if
    nothing was recorded.
    """
    shutil.rmtree(out, ignore_errors=True)
    written: list[str] = []
    for stage in STAGES:
        for path in sorted((reports / stage).glob("*/plots/history.csv")):
            name = f"{stage}/{path.parent.parent.name}"
            written += _curves(artifacts.read_csv(path), name, out)
    for path in sorted((reports / "evaluate").glob("*/metrics.json")):
        name = f"evaluate/{path.parent.name}"
        with _writer(out / name) as writer:
            _figures(writer, path.parent / "plots")
            _hyperparameters(writer, path.parent.name, artifacts.read_json(path), tree)
        written.append(name)
    if not written:
        raise ValueError(f"{reports} holds no curve and no evaluation: run `make repro` first")
    return written


def _curves(history: pd.DataFrame, name: str, out: Path) -> list[str]:
    """Write the scalars of a run, a folder for each fold if there are several: train/loss, val/auroc, …"""
    folds = sorted(history["fold"].unique())
    names = [name if len(folds) == 1 else f"{name}/fold_{fold}" for fold in folds]
    for fold, where in zip(folds, names, strict=True):
        rows = history[history["fold"] == fold]
        with _writer(out / where) as writer:
            for column in (x for x in rows.columns if x not in ("fold", "epoch")):
                part, _, rest = column.partition("_")
                tag = f"{part}/{rest}" if part in _PARTS else f"schedule/{column}"
                for epoch, value in zip(rows["epoch"], rows[column], strict=True):
                    if value == value:  # an empty cell is no point
                        writer.add_scalar(tag, float(value), int(epoch))
    return names


def _figures(writer: SummaryWriter, plots: Path) -> None:
    """Write those figures of a model that exist."""
    from PIL import Image

    for name in FIGURES:
        path = plots / f"{name}.png"
        if path.is_file():
            with Image.open(path, formats=("PNG",)) as image:
                pixels_HWC = np.asarray(image.convert("RGB"))
            writer.add_image(f"test/{name}", pixels_HWC, 0, dataformats="HWC")


def _hyperparameters(
    writer: SummaryWriter, name: str, found: Mapping[str, Any], tree: Mapping[str, Any]
) -> None:
    """Write a model's recipe beside its test metrics, a line of the HPARAMS tab."""
    from torch.utils.tensorboard.summary import hparams

    recipe = ((tree.get("transfer") or {}).get("recipes") or {}).get(name) or {}
    settings = {"study": str(tree.get("study")), "seed": tree.get("seed"), **_flat(recipe)}
    metrics = {
        f"test/{key}": float(found[key]["value"])
        for key in ("auroc", "accuracy", "macro_f1")
        if isinstance(found.get(key), Mapping) and found[key].get("value") is not None
    }
    metrics |= {f"cost/{key}": float(found[key]) for key in ("parameters", "macs") if key in found}
    # torch's own add_hparams would put the metrics into a run of their own, named by the clock
    assert writer.file_writer is not None, "an open writer has one"
    for summary in hparams(settings, metrics):
        writer.file_writer.add_summary(summary)
    for tag, value in metrics.items():
        writer.add_scalar(tag, value, 0)


def _flat(recipe: Mapping[str, Any], where: str = "") -> dict[str, str | float | bool]:
    """Return {dotted name: value}, lists as words."""
    found: dict[str, str | float | bool] = {}
    for name, value in recipe.items():
        inner = f"{where}{name}"
        if isinstance(value, Mapping):
            found |= _flat(value, f"{inner}.")
        elif value is not None:
            found[inner] = value if isinstance(value, str | int | float | bool) else json.dumps(value)  # fmt: skip
    return found


def _writer(folder: Path) -> SummaryWriter:
    with warnings.catch_warnings():
        # tensorboard's protobuf stubs are older than protobuf
        warnings.simplefilter("ignore", DeprecationWarning)
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(folder))


def main() -> None:
    """Write the events, and show them until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m cxr.tensorboard", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--port", type=int, default=6006, help="on this machine alone (6006)")
    parser.add_argument("--write", action="store_true", help="write the event files, show nothing")
    given = parser.parse_args()
    try:
        written = write(Path("reports"), params.read_yaml(params.PARAMS_FILE), OUT)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    print(f"{OUT}: {len(written)} runs and models", flush=True)
    if not given.write:
        command = ["-m", "tensorboard.main", "--logdir", str(OUT), "--host", "127.0.0.1"]
        os.execv(sys.executable, [sys.executable, *command, "--port", str(given.port)])  # noqa: S606


if __name__ == "__main__":
    main()
