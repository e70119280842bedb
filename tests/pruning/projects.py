"""A project folder in which prune and finish run: parameters, a stage as a program, and what it left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from cxr import artifacts, prepared
from cxr.pruning import cutting, parent
from cxr.training import models
from cxr.training.network import Network
from tests.architectures.cases import cells, stage
from tests.pruning.parents import save, small

ROOT = Path(__file__).resolve().parents[2]
SEED = 7


def parameters(folder: Path, **sections: Any) -> Path:
    """Write the project's params.yaml; return the project."""
    with (folder / "params.yaml").open("w") as file:
        YAML().dump({"seed": SEED, **sections}, file)
    return folder


def run(folder: Path, workers: int, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m <words>` in the project with so many processes; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CXR_WORKERS": str(workers)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def carved(folder: Path, run: str, kept: Mapping[str, Sequence[int]]) -> Network:
    """Return what the training of the first fold's cut begins with, 8 images being shown for recalibration."""
    model, splits = folder / "data/models" / run, artifacts.read_csv(folder / "data/splits.csv")
    first = parent.folds(
        model, folder / "data/prepared", splits,
        recalibration_images=8, reconstruct=True, seed=SEED,
    )[0]  # fmt: skip
    member = models.load(model, 0)
    cutting.carve(member.network, member.recipe, kept, prepared.read(first.prepared_folder), first)
    return member.network


def contents(folder: Path, *tops: str) -> dict[str, bytes]:
    """Return every file below the project's folders `tops`, by its path, in order."""
    files = sorted(x for top in tops for x in (folder / top).rglob("*") if x.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def searched(folder: Path) -> list[dict[str, Any]]:
    """Write a parent of two folds, each of an architecture of its own that a search found; return them."""
    options = [cells(stage("residual", width=width, depth=1)) for width in (24, 40)]
    found = {"search": "toy", "pick": "evolved"}
    recipe = small(backbone="searched", backbone_options=found, weights="searched")
    save(folder / "data/models/toy", recipe, folds=2, options=options)
    return options
