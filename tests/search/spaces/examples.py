"""Small choices of every space, and spaces opened with them."""

from __future__ import annotations

from typing import Any

from cxr import seeding
from cxr.evolution.genes import Genome
from cxr.search import space
from cxr.training.recipe import Head

CELLS: dict[str, Any] = {
    "stages": [2, 3],
    "stems": [8, 16],
    "stem_strides": [2, 1],
    "blocks": ["plain", "residual", "inverted", "dense"],
    "widths": [8, 16, 24, 32, 48],
    "depths": [1, 2],
    "kernels": [3, 5],
    "expansions": [2, 4],
    "squeeze_excitation": [False, True],
    "norms": ["batch", "group"],
    "activations": ["relu", "silu", "hardswish"],
    "downs": ["stride", "max_pool"],
    "resolutions": [100, 75, 50],
    "pools": ["gap", "flatten"],
    "hidden": [[], [64], [32, 16]],
}
GRID: dict[str, Any] = {
    "conv_layers": [1, 2, 3],
    "layer_sizes": [32, 64, 128],
    "dense_layers": [0, 1, 2],
}
MOBILE: dict[str, Any] = {
    "like": "mobilenetv2_035",
    "widths": [50, 100, 150],
    "depths": [-1, 0, 1],
    "kernels": [3, 5],
    "expansions": [3, 6],
}
EXAMPLES = {"cxr_cells": CELLS, "basalamah_grid": GRID, "mobile": MOBILE}
LINEAR: dict[str, Any] = {"kind": "linear", "hidden": [], "dropout": 0.0}


def open_space(
    name: str = "cxr_cells",
    *,
    parameters: int | None = None,
    macs: int | None = None,
    activation_mb: float | None = None,
    size_px: int = 64,
    labels: int = 3,
    head: dict[str, Any] = LINEAR,
    **changes: Any,
) -> space.Space:
    """Return a space under caps, none by default; `changes` are of its choices."""
    caps = {"parameters": parameters, "macs": macs, "activation_mb": activation_mb}
    tree = {"name": name, "caps": caps, **EXAMPLES[name], **changes}
    return space.load(tree, size_px=size_px, labels=labels, head=Head(**head), where="space")


def draws(found: space.Space, count: int, *names: str | int) -> list[Genome]:
    """Return `count` genomes drawn uniformly, allowed or not."""
    rng = seeding.stream(2, "draws", *names)
    return [tuple(int(rng.integers(gene.size)) for gene in found.genes) for _ in range(count)]
