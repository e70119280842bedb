"""Small models that the tests of exporting share: saved, with BatchNorm and head that do something."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from cxr import seeding
from cxr.backbones import surgery
from cxr.training import loop, models
from cxr.training.network import build, last_layer
from tests.architectures.cases import cells, stage
from tests.training.recipes import tiny

SIZE_PX = 32
STAGES = [stage(width=8, depth=1), stage("residual", depth=1)]
SMALL = {"backbone": "searched", "backbone_options": cells(*STAGES, stem=8)}
ABOUT = {"fold": 0, "model": "toy"}


def images(count: int = 5, size_px: int = SIZE_PX) -> np.ndarray:
    """Return uint8 noise (count, size_px, size_px)."""
    rng = seeding.stream(1, "images")
    return rng.integers(0, 256, size=(count, size_px, size_px), dtype=np.uint8)


def member(
    *, temperature: float = 1.0, size_px: int = SIZE_PX, labels: int = 3, **changes
) -> models.Member:
    """Return a network whose scores differ from image to image."""
    recipe = tiny(**changes)
    network = build(recipe, labels=labels, seed=1, fold=0).train()
    noise = seeding.torch_stream(2, "noise")
    for _ in range(3):
        network(torch.randn(4, 1, size_px, size_px, generator=noise))
    with torch.no_grad():
        last_layer(network).weight.mul_(100)
        last_layer(network).bias.copy_(torch.arange(float(labels)))
    return models.Member(network.eval(), recipe, temperature)


def save(
    folder: Path, *, kept: dict[str, list[int]] | None = None, temperature: float = 1.0, **changes
) -> Path:
    """Write a model of one fold, cut to the `kept` channels."""
    made = member(temperature=temperature, **changes)
    if kept:
        last = last_layer(made.network)
        surgery.keep(made.network, kept, size_px=SIZE_PX, ignored=[last])
    fitted = loop.Fitted(dict(made.network.state_dict()), best_epoch=0, history=[])
    saved = models.Saved(fitted, made.recipe.backbone_options, kept or {}, temperature)
    models.save(folder, made.recipe, [saved], labels=["a", "b", "c"], size_px=SIZE_PX)
    return folder
