"""Small settings that the tests of the search change, and a small project to search in."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from cxr import artifacts, params, prepared, seeding
from cxr.search import space
from cxr.search.settings import Terms, Training
from cxr.training.recipe import Head
from tests.training.recipes import TINY

SPACE: dict[str, Any] = {
    "name": "cxr_cells",
    "caps": {"parameters": 100_000, "macs": 2_000_000, "activation_mb": None},
    "stems": [8],
    "stem_strides": [2],
    "stages": [2, 2],
    "blocks": ["plain", "residual", "inverted"],
    "widths": [8, 16],
    "depths": [1, 2],
    "kernels": [3, 5],
    "expansions": [2, 4],
    "squeeze_excitation": [False, True],
    "norms": ["batch"],
    "activations": ["relu"],
    "downs": ["stride", "max_pool"],
    "resolutions": [100],
    "pools": ["gap"],
    "hidden": [[]],
}
TRAINING: dict[str, Any] = {
    key: value
    for key, value in TINY.items()
    if key in {field.name for field in dataclasses.fields(Training)}
}
RECIPE: dict[str, Any] = {
    "space": SPACE,
    "methods": ["evolved", "random"],
    "score": "auroc",
    "generations": 2,
    "rungs": [{"networks": 3, "samples": 16}, {"networks": 2, "samples": 32}],
    "image_px": 16,
    "finalists": {"networks": 2, "seeds": 2, "samples": 48},
    "baselines": ["largest"],
    "guide": 4,
    "prefilter": None,
    "training": TRAINING,
}


def open_space(*, caps: dict[str, Any] | None = None, **changes: Any) -> space.Space:
    """Return the small space under its caps, some of them changed."""
    tree = {**SPACE, "caps": {**SPACE["caps"], **(caps or {})}, **changes}
    head = Head(kind="linear", hidden=[], dropout=0.0)
    return space.load(tree, size_px=32, labels=2, head=head, where="space")


def terms(**changes: Any) -> Terms:
    """Return the small terms, some of them changed."""
    tree = {key: RECIPE[key] for key in ("methods", "score", "generations", "rungs", "guide")}
    return params.build(Terms, {**tree, **changes}, where="terms")


PARTS = ["train"] * 16 + ["val"] * 4 + ["search_val"] * 8 + ["test"] * 4


def make_project(folder: Path, *, parts: Sequence[str] = PARTS, **changes: Any) -> pd.DataFrame:
    """Lay out prepared images of 32 px, splits of two folds and params as earlier stages would.

    Label a is present where the left half is bright, so that there is something to learn. Returns
    the splits.
    """
    rng = seeding.stream(1, "project")
    names = [f"toy/{i:03d}.png" for i in range(len(parts))]
    index = pd.DataFrame({"image": names, "patient": names, "source": "toy", "view": "", "sex": ""})
    index["age_years"] = np.nan
    index["label:a"] = np.arange(len(parts)) % 2
    index["label:b"] = 1 - index["label:a"]
    images = rng.integers(0, 200, size=(len(parts), 32, 32), dtype=np.uint8)
    images[1::2, :, :16] += 40
    prepared.write(folder / "data/prepared", images.__getitem__, index)
    splits = pd.DataFrame({"image": names, "group": names, "fold_0": parts, "fold_1": parts[::-1]})
    artifacts.write_csv(folder / "data/splits.csv", splits)
    tree = {"seed": 7, "search": {"runs": ["toy"], "recipes": {"toy": {**RECIPE, **changes}}}}
    with (folder / "params.yaml").open("w") as file:
        YAML().dump(json.loads(json.dumps(tree)), file)  # without YAML's marks of what is shared
    return splits
