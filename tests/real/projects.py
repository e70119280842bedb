"""A study on real data in a folder of its own: this code, the study's parameters, copies of the data."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from flows import study

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"chestxray14": "nih14_lungmasked", "medmnist": "pneumoniamnist"}
"""Where a reader's data lie, if not under its own name."""


def make(folder: Path, name: str, real: Path) -> list[str]:
    """Write the parameters of the study `name` and bring its raw data; return its data sets."""
    tree = study.compose(name)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(ROOT / "studies", folder / "studies")
    run(folder, "-m", "flows.study", name)
    for dataset in tree["ingest"]["datasets"]:
        source = real / FOLDERS.get(dataset, dataset)
        shutil.copytree(source, folder / "data/raw" / dataset, copy_function=shutil.copyfile)
    return list(tree["ingest"]["datasets"])


def stages(folder: Path, datasets: Sequence[str], *names: str) -> None:
    """Run ingest for each data set, then the stages `names`, as DVC would."""
    for dataset in datasets:
        run(folder, "-m", "stages.ingest", dataset)
    for name in names:
        run(folder, "-m", f"stages.{name}")


def run(folder: Path, *words: str) -> None:
    """Run Python in `folder` with this code; what it says of a failure is the error."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
