"""A small model, exported by the stage that exports: it learned from smooth pictures, or says, from phantoms."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pandas as pd

from cxr import artifacts, numerics, prepared
from cxr.preprocessing import _chain
from cxr.training import loop, models
from stages import export
from tests.bad_inputs.pictures import chest, stored
from tests.exporting import toys

PARTS = ["train"] * 40 + ["val"] * 40 + ["test"] * 4
LABELS = ["normal", "ground_glass", "effusion"]
STEPS = [{"name": "resize", "size_px": toys.SIZE_PX, "fit": "stretch"}]

_BOARD = np.indices((8, 8)).sum(axis=0) % 2 * 255
STRANGE = stored(np.kron(_BOARD, np.ones((9, 10))).astype(np.uint8))
"""A chessboard: a model of smooth pictures refuses it."""


def make(folder: Path, *, data_set: str = "toy") -> Path:
    """Make the files that export reads in `folder`, export, and return the model's folder."""
    numerics.exact_torch()
    steps = _chain.build(STEPS, where="test")
    names = [f"{data_set}/{i:03d}.png" for i in range(len(PARTS))]
    index = pd.DataFrame(
        {"image": names, "patient": names, "source": data_set, "view": "", "age_years": np.nan,
         "sex": "", **{f"label:{label}": int(label == LABELS[0]) for label in LABELS}}
    )  # fmt: skip
    images = np.stack([_chain.apply(chest(i), steps) for i in range(len(PARTS))])
    prepared.write(folder / "data/prepared", images.__getitem__, index)
    splits = pd.DataFrame({"image": names, "group": names, "fold_0": PARTS})
    artifacts.write_csv(folder / "data/splits.csv", splits)
    made = toys.member(**toys.SMALL)
    fitted = loop.Fitted(dict(made.network.state_dict()), best_epoch=0, history=[])
    saved = models.Saved(fitted, made.recipe.backbone_options, {}, 1.0)
    models.save(
        folder / "data/models/toy", made.recipe, [saved], labels=LABELS, size_px=toys.SIZE_PX
    )
    sections = {
        "seed": 1,
        "ingest": {"datasets": [data_set]},
        "preprocess": {"steps": STEPS},
        "split": {"protocol": "by_patient", "test": "in_turn"},
        "export": {"models": ["toy"], "int8": []},
    }
    artifacts.write_json(folder / "params.yaml", sections)  # JSON is YAML
    with contextlib.chdir(folder):
        export.main("toy")
    return folder / "data/exported/toy"
