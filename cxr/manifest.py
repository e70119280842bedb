"""The one table: a row per image, the same columns for every data set.

Fixed columns are described in COLUMNS; behind them stands one column `label:<name>` per label
with 1 present, 0 absent, NaN unknown. Rows are sorted by `image`, which is unique.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cxr import artifacts

LABEL_PREFIX = "label:"

COLUMNS: dict[str, str] = {
    "image": "unique id: <dataset>/<path inside data/raw/<dataset>>, archives taken as folders",
    "dataset": "name of the reader in cxr/datasets",
    "kind": "image, or mask: a drawing of the lungs filed among the images",
    "source": "where the image was made (hospital, collection), as far as the data set says",
    "patient": "id, unique across data sets: images of one patient never cross splits",
    "view": "PA, AP, LATERAL or empty",
    "age_years": "age at the exposure, NaN unknown",
    "sex": "F, M or empty",
    "given_split": "the data set's own split: train, val, test or empty",
    "sha256": "of the file's bytes",
    "file_bytes": "the file's size",
    "file_format": "PNG, JPEG, DICOM, …; empty if it can't be decoded",
    "pixels_sha256": "of the decoded grey image and its shape: equal for pixel-identical files",
    "phash": "64-bit difference hash, 16 hexadecimal digits",
    "width_px": "of the stored image",
    "height_px": "of the stored image",
    "channels": "of the stored image: 1 grey, 3 colour, 4 colour with alpha",
    "bit_depth": "bits per channel of the stored image",
    "grey_min": "darkest grey value, 0 to 255, after conversion to 8-bit grey",
    "grey_max": "brightest grey value",
    "grey_mean": "mean grey value",
    "grey_std": "standard deviation of the grey values",
    "fault": "why the file can't be decoded; empty if it can",
}
TEXT = (
    "image", "dataset", "kind", "source", "patient", "view", "sex", "given_split", "sha256",
    "file_format", "pixels_sha256", "phash", "fault",
)  # fmt: skip
"""Columns that are words; the others are numbers."""
WHOLE_NUMBERS = (
    "file_bytes", "width_px", "height_px", "channels", "bit_depth", "grey_min", "grey_max",
)  # fmt: skip
"""Columns of whole numbers, which are empty where the image can't be decoded."""


def label_columns(manifest: pd.DataFrame) -> list[str]:
    """Return the names of the columns that hold labels, in the table's order."""
    return [name for name in manifest.columns if name.startswith(LABEL_PREFIX)]


def labels(manifest: pd.DataFrame) -> list[str]:
    """Return the labels' names, in the table's order."""
    return [name.removeprefix(LABEL_PREFIX) for name in label_columns(manifest)]


def label_array(manifest: pd.DataFrame) -> np.ndarray:
    """Return float32 (images, labels): 1 present, 0 absent, NaN unknown."""
    return manifest[label_columns(manifest)].to_numpy(dtype=np.float32)


def read(path: Path) -> pd.DataFrame:
    """Read a manifest; raise ValueError if a column is missing or an image stands twice."""
    table = artifacts.read_csv(path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False,
                               na_values={name: [""] for name in COLUMNS if name not in TEXT})  # fmt: skip
    return check(with_numbers(table), where=str(path))


def with_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Return `table` with its labels as float64, whatever text or whole numbers they were read as."""
    return table.assign(**{x: pd.to_numeric(table[x]).astype(float) for x in label_columns(table)})


def write(path: Path, table: pd.DataFrame) -> None:
    """Write a manifest in its canonical form: fixed columns first, rows sorted by image."""
    ordered = [*COLUMNS, *label_columns(table)]
    table = check(table, where=str(path))[ordered].sort_values("image", kind="stable")
    artifacts.write_csv(path, table)


def check(table: pd.DataFrame, *, where: str) -> pd.DataFrame:
    """Return `table` if it has the manifest's form; raise ValueError that says where it has not."""
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise ValueError(f"{where}: the manifest lacks the columns {', '.join(missing)}")
    if not label_columns(table):
        raise ValueError(f"{where}: the manifest has no column {LABEL_PREFIX}<name>")
    twice = table["image"][table["image"].duplicated()]
    if len(twice):
        raise ValueError(f"{where}: {len(twice)} images stand twice, first {twice.iloc[0]!r}")
    for name in label_columns(table):
        odd = table[~(table[name].isin([0, 1]) | table[name].isna())]
        if len(odd):
            raise ValueError(
                f"{where}: {name} must be 1, 0 or empty, not {odd[name].iloc[0]} "
                f"(image {odd['image'].iloc[0]!r})"
            )
    return table


def write_thumbnails(path: Path, thumbnails: np.ndarray) -> None:
    """Write the thumbnails uint8 (N, 32, 32) that belong to a manifest's rows, in their order."""
    artifacts.write_array(path, thumbnails)


def read_thumbnails(path: Path, table: pd.DataFrame) -> np.ndarray:
    """Read the thumbnails of a manifest; raise ValueError if they are not one per row."""
    thumbnails = np.load(path, allow_pickle=False)
    if thumbnails.shape != (len(table), 32, 32) or thumbnails.dtype != np.uint8:
        raise ValueError(
            f"{path} holds {thumbnails.dtype} {thumbnails.shape}, the manifest has {len(table)} "
            "rows: run the stage that makes both again"
        )
    return thumbnails


def write_gaps(path: Path, gaps: pd.DataFrame) -> None:
    """Write which images are listed without a file (absent) or there without a row (unlisted)."""
    artifacts.write_csv(path, gaps[["image", "gap"]].sort_values(["image", "gap"], kind="stable"))


def read_gaps(path: Path) -> pd.DataFrame:
    """Read what `write_gaps` wrote: image, gap."""
    return artifacts.read_csv(path, dtype=str, keep_default_na=False)
