"""A search whose networks are not trained: the architecture decides the score, more images sharpen it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxr import params
from cxr.search import fitness
from cxr.search.judging import Judge
from cxr.search.settings import Training
from tests.search.settings import TRAINING, open_space

SPACE = open_space()


def judge(folder: Path, *, folds: int = 2) -> Judge:
    """Return a judge of folds without images."""
    recipe = params.build(Training, TRAINING, where="training").recipe()
    rows = np.arange(4)
    tasks = [
        fitness.Task(
            recipe=recipe, prepared_folder=folder, train_rows=rows, search_rows=rows, val_rows=rows,
            image_px=16, fold=fold, seed=1, samples=0, draws="",
        )
        for fold in range(folds)
    ]  # fmt: skip
    return Judge(tasks, folder, "search@made_up")


def score(fold: int, network: str, samples: int, draws: str) -> float:
    """Return a score in 0.5..1 that grows with width; fewer images, more noise."""
    if not network.startswith("{"):
        return 0.9
    noise = hashlib.sha256(f"{fold} {network} {samples} {draws}".encode()).digest()[0] / 256
    widths = [stage["width"] for stage in json.loads(network)["stages"]]
    return min(1.0, 0.5 + sum(widths) / 100 + noise / samples)


class Trained(list[tuple[int, str, int, str]]):
    """What was trained: fold, network, samples, draws."""

    def evaluate(self, task: fitness.Task) -> dict[str, Any]:
        """Stand in for `fitness.evaluate`."""
        network = task.recipe.backbone
        options = task.recipe.backbone_options
        macs, parameters = 10**7, 10**6
        if network == "searched":
            network = json.dumps(options, sort_keys=True, separators=(",", ":"))
            cost = fitness.space.whole(options, size_px=32, labels=2, head=task.recipe.head)
            macs, parameters = cost.macs, cost.parameters
        self.append((task.fold, network, task.samples, task.draws))
        found = score(task.fold, network, task.samples, task.draws)
        return {
            "auroc": found, "accuracy": found / 2, "loss": 1 - found, "diverged": False, "macs": macs,
            "parameters": parameters, "activation_bytes": 4 * parameters, "samples": task.samples,
        }  # fmt: skip

    def finalist(self, task: fitness.Task) -> dict[str, Any]:
        """Stand in for `fitness.finalist`."""
        found = self.evaluate(task)
        return {
            **found,
            "val_auroc": None if task.fold else found["auroc"] - 0.1,
            "val_accuracy": 0.5,
        }

    def proxies(self, task: fitness.Task, names: tuple[str, ...]) -> dict[str, float | None]:
        """Stand in for `fitness.proxies`: each says the width of the last stage."""
        width = task.recipe.backbone_options["stages"][-1]["width"]
        return {name: float(width) for name in names}


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Trained:
    """Replace all training by the made-up one, in this process."""
    found = Trained()
    for name in ("evaluate", "finalist", "proxies"):
        monkeypatch.setattr(fitness, name, getattr(found, name))
    monkeypatch.setenv("CXR_WORKERS", "1")
    return found
