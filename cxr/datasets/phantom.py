"""phantom: the embedded data set, synthetic chest radiographs made by the stage of the same name.

Layout: images.zip (images/<patient>_<number>.png) and labels.csv (image, patient, view, age_years,
sex, then one column per label, 1 present and 0 absent).
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cxr import artifacts, manifest
from cxr.datasets._source import Source
from cxr.phantom import cohort

SOURCE = Source(
    title="cxrepro phantom",
    url="",
    citation="Made by cxr/phantom of this repository.",
    licence="Apache-2.0",
    redistributable=True,
    images={},
    sha256={},
    hint="run `dvc repro phantom` (it is made by code, nothing is downloaded)",
)

_COLUMNS = ("image", "patient", "view", "age_years", "sex")


def read(root: Path) -> pd.DataFrame:
    """Return a row per image of labels.csv, in its order."""
    for name in ("labels.csv", "images.zip"):
        if not (root / name).is_file():
            raise ValueError(f"phantom: {root / name} is missing: {SOURCE.hint}")
    table = artifacts.read_csv(root / "labels.csv", dtype={"patient": str})
    missing = [name for name in _COLUMNS if name not in table.columns]
    labels = [name for name in table.columns if name not in _COLUMNS]
    if missing or not labels:
        raise ValueError(
            f"phantom: {root / 'labels.csv'} must have the columns {', '.join(_COLUMNS)} and one "
            f"per label, not {', '.join(table.columns)}: {SOURCE.hint}"
        )
    result = pd.DataFrame(
        {
            "image": "images.zip/" + table["image"],
            "source": "phantom",
            "patient": table["patient"],
            "view": table["view"],
            "age_years": table["age_years"].astype(float),
            "sex": table["sex"],
            "given_split": "",
        }
    )
    for name in labels:
        result[manifest.LABEL_PREFIX + name] = table[name].astype(float)
    return result


def sample(root: Path) -> None:
    """Write a phantom of four patients, too small to learn from."""
    study = cohort.cohort(1, patients=4, image_px=48, task="multiclass", shuffle_labels=False)
    artifacts.write_bytes(root / "images.zip", cohort.archive(study))
    artifacts.write_csv(root / "labels.csv", cohort.table(study))
