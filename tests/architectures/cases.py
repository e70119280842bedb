"""Architectures that tests of several folders share: one of each kind, and random ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from cxr import plugins, seeding

FAMILIES = plugins.names("architectures")
SIZE_PX = 32


def stage(block: str = "plain", width: int = 16, depth: int = 2, kernel: int = 3, **more: Any):
    """One stage of family cells; inverted blocks get an expansion."""
    expansion = {"expansion": 2} if block == "inverted" else {}
    return {
        "block": block, "width": width, "depth": depth, "kernel": kernel, "se": False,
        **expansion, **more,
    }  # fmt: skip


def cells(*stages: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a network of family cells; without stages, one of each block."""
    each = [stage(block) for block in ("plain", "residual", "inverted", "dense")]
    return {
        "family": "cells", "resolution": 100, "stem": 16, "stem_stride": 2, "activation": "relu", "norm": "batch",
        "down": "stride", "stages": list(stages) or each, "pool": "gap", "hidden": [], **changes,
    }  # fmt: skip


def plain_cnn(**changes: Any) -> dict[str, Any]:
    """Return a small network of family plain_cnn."""
    sizes = {"layer_size": 16, "conv_layers": 2, "dense_layers": 1, "side_px": SIZE_PX}
    return {"family": "plain_cnn", **sizes, **changes}


def mobile(
    widths: tuple[int, ...] = (8, 8, 16, 24, 32, 56, 112),
    depths: tuple[int, ...] = (1, 2, 3, 4, 3, 3, 1),
    expansions: tuple[int, ...] = (1, 6, 6, 6, 6, 6, 6),
    kernels: tuple[int, ...] = (3, 3, 3, 3, 3, 3, 3),
    **changes: Any,
) -> dict[str, Any]:
    """Return a network of family mobile: mobilenetv2_035 unless changed."""
    names = ("width", "depth", "expansion", "kernel")
    rows = zip(widths, depths, expansions, kernels, strict=True)
    stages = [dict(zip(names, row, strict=True)) for row in rows]
    return {"family": "mobile", "stem": 16, "stages": stages, "head": 1280, **changes}


EVERYTHING = {"activation": "hardswish", "norm": "group", "down": "max_pool", "hidden": [24, 16]}
"""The less usual choice of each setting of family cells."""
FLAT = {"pool": "flatten", "side_px": SIZE_PX}
KINDS: dict[str, dict[str, Any]] = {
    "plain": cells(stage(), stage(width=24)),
    "residual": cells(stage("residual"), stage("residual", width=24)),
    "inverted": cells(stage("inverted"), stage("inverted", width=24)),
    "narrow inverted": cells(stage("inverted", expansion=1), stage("inverted", expansion=1)),
    "dense": cells(stage("dense"), stage("dense", width=24, depth=3)),
    "dense, pooled": cells(stage("dense"), stage("dense", depth=1), down="max_pool"),
    "kernel 5": cells(*(stage(b, kernel=5) for b in ("plain", "residual", "inverted", "dense"))),
    "squeezed": cells(*(stage(b, se=True) for b in ("plain", "residual", "inverted", "dense"))),
    "all blocks": cells(),
    "everything": cells(
        *(stage(b, se=True) for b in ("residual", "inverted", "dense")), resolution=75, **EVERYTHING
    ),
    "flat": cells(stage(), stage("dense"), **FLAT),
    "flat, dense layer": cells(stage("residual"), activation="silu", hidden=[16], **FLAT),
    "plain_cnn": plain_cnn(),
    "plain_cnn, no dense layer": plain_cnn(conv_layers=3, dense_layers=0),
    "mobile": mobile(head=64),
    "mobile, changed": mobile(
        (16, 16, 8, 24, 16, 24, 32), (2, 1, 1, 2, 1, 1, 1), (2, 1, 3, 6, 6, 2, 4),
        (5, 5, 3, 5, 3, 3, 5), stem=8, head=32,
    ),
}  # fmt: skip
"""Networks small enough to build, for images of SIZE_PX."""


def draw(family: str, *names: str | int) -> dict[str, Any]:
    """Return a random network of the family, for images of SIZE_PX."""
    rng = seeding.stream(1, "architecture", family, *names)
    return {"cells": _cells, "plain_cnn": _plain_cnn, "mobile": _mobile}[family](rng)


def _pick(rng: np.random.Generator, choices: list[Any]) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _cells(rng: np.random.Generator) -> dict[str, Any]:
    stages = []
    for _ in range(int(rng.integers(1, 4))):
        block = _pick(rng, ["plain", "residual", "inverted", "dense"])
        more = {"expansion": _pick(rng, [1, 2, 4])} if block == "inverted" else {}
        sizes = [_pick(rng, choices) for choices in ([8, 16, 24, 40], [1, 2, 3], [3, 5])]
        stages.append(stage(block, *sizes, se=_pick(rng, [False, True]), **more))
    return cells(
        *stages,
        resolution=_pick(rng, [100, 75, 50]), stem=_pick(rng, [8, 16, 24]),
        activation=_pick(rng, ["relu", "silu", "hardswish"]), norm=_pick(rng, ["batch", "group"]),
        down=_pick(rng, ["stride", "max_pool"]), hidden=_pick(rng, [[], [24], [24, 8]]),
        **_pick(rng, [{"pool": "gap"}, FLAT]),
    )  # fmt: skip


def _plain_cnn(rng: np.random.Generator) -> dict[str, Any]:
    return plain_cnn(
        layer_size=_pick(rng, [3, 8, 16]),
        conv_layers=_pick(rng, [1, 2, 3]),
        dense_layers=_pick(rng, [0, 1, 2]),
    )


def _mobile(rng: np.random.Generator) -> dict[str, Any]:
    choices = ([8, 16, 24, 32], [1, 2, 3], [1, 2, 3, 6], [3, 5])
    columns = (tuple(_pick(rng, column) for _ in range(7)) for column in choices)
    return mobile(*columns, stem=_pick(rng, [8, 16]), head=_pick(rng, [32, 64]))
