"""The prepared images: uint8 shards of one square size in a fixed order, and the table beside them.

A folder holds images-000.npy, images-001.npy, …, each uint8 (N, S, S) with at most SHARD_IMAGES
images, and index.csv with one row per image in the same order. Few large files, because DVC needs
144 s for 30,000 loose ones and 1 s for the same bytes in shards.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from cxr import artifacts
from cxr.manifest import label_columns, with_numbers

SHARD_IMAGES = 4096
COLUMNS = ("image", "patient", "source", "view", "age_years", "sex")
"""Fixed columns of index.csv, described in cxr.manifest; the labels' columns follow."""


def write(folder: Path, images: Iterable[np.ndarray], index: pd.DataFrame) -> int:
    """Write uint8 (S, S) `images`, one per row of `index`, one at a time; return S.

    Raises ValueError if an image has another size than the first, or is missing or left over.
    """
    if not len(index):
        raise ValueError("no image is left to prepare: see reports/validate and reports/split")
    stream = iter(images)
    with artifacts.folder(folder) as partial:
        size_px = 0
        for number, start in enumerate(range(0, len(index), SHARD_IMAGES)):
            rows = index["image"].iloc[start : start + SHARD_IMAGES]
            with (partial / _shard_name(number)).open("wb") as file:
                size_px = _write_shard(file, stream, list(rows), size_px)
        if next(stream, None) is not None:
            raise ValueError(f"there are more images than the index has rows ({len(index)})")
        artifacts.write_csv(partial / "index.csv", index[[*COLUMNS, *label_columns(index)]])
    return size_px


def _write_shard(file: BinaryIO, images: Any, names: list[str], size_px: int) -> int:
    # written by hand, image by image: np.save wants the whole shard in memory, twice
    for name in names:
        image = next(images, None)
        if image is None:
            raise ValueError(f"the images end before {name}")
        if not file.tell():
            size_px = size_px or image.shape[0]
            shape = (len(names), size_px, size_px)
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
        if image.shape != (size_px, size_px) or image.dtype != np.uint8:
            raise ValueError(
                f"{name} came out as {image.dtype} {image.shape}, expected uint8 "
                f"{(size_px, size_px)}: preprocess.steps must bring all images to one square size"
            )
        file.write(image.tobytes())
    return size_px


def _shard_name(number: int) -> str:
    return f"images-{number:03d}.npy"


def rows(index: pd.DataFrame, splits: pd.DataFrame, part: str) -> list[np.ndarray]:
    """Return, for each fold of `splits`, the positions in `index` of the images in `part`."""
    parts = splits.set_index("image").loc[index["image"]]
    folds = [name for name in parts.columns if name.startswith("fold_")]
    return [np.flatnonzero((parts[name] == part).to_numpy()) for name in folds]


def read(folder: Path) -> Prepared:
    """Open a prepared folder; raise ValueError if it is missing or its files don't fit together."""
    if not (folder / "index.csv").is_file():
        raise ValueError(f"{folder}/index.csv is missing: run `dvc repro preprocess`")
    text = [name for name in COLUMNS if name != "age_years"]
    index = artifacts.read_csv(
        folder / "index.csv",
        dtype=dict.fromkeys(text, str),
        keep_default_na=False,
        na_values={"age_years": [""]},
    )
    return Prepared(folder, with_numbers(index))


class Prepared:
    """An open folder of prepared images; shards are mapped, so only what is gathered is in memory."""

    index: pd.DataFrame
    """One row per image: COLUMNS and the labels, in the images' order."""
    size_px: int
    """Side of every image."""

    def __init__(self, folder: Path, index: pd.DataFrame) -> None:
        shards = -(-len(index) // SHARD_IMAGES)
        try:
            self._shards = [
                np.load(folder / _shard_name(number), mmap_mode="r") for number in range(shards)
            ]
        except FileNotFoundError as error:
            raise ValueError(f"{error.filename} is missing: run `dvc repro preprocess`") from None
        if sum(map(len, self._shards)) != len(index):
            raise ValueError(
                f"{folder}: index.csv has {len(index)} rows, the shards have "
                f"{sum(map(len, self._shards))} images: run `dvc repro -f preprocess`"
            )
        self._folder = folder
        self.index = index
        self.size_px = self._shards[0].shape[1]

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Copy the images at `rows` (integers, any order, repeats allowed) to uint8 (n, S, S)."""
        rows = np.asarray(rows, dtype=np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self.index)):
            raise ValueError(
                f"rows must lie in 0..{len(self.index) - 1}, not {rows.min()}..{rows.max()}"
            )
        images = np.empty((len(rows), self.size_px, self.size_px), np.uint8)
        shard_of = rows // SHARD_IMAGES
        for number in np.unique(shard_of):
            here = shard_of == number
            images[here] = self._shards[number][rows[here] - number * SHARD_IMAGES]
        return images

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to a worker as the folder's name, not as pixels."""
        return read, (self._folder,)
