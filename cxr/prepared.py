"""The prepared images: uint8 shards of one square size in a fixed order, and the table beside them.

A folder holds images-0000.npy, images-0001.npy, …, each uint8 (N, S, S), some hundred images, and
index.csv with one row per image in the same order. Few large files, because DVC needs
144 s for 30,000 loose ones and 1 s for the same bytes in shards.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from cxr import artifacts
from cxr.manifest import label_columns, with_numbers

COLUMNS = ("image", "patient", "source", "view", "age_years", "sex")
"""Fixed columns of index.csv, described in cxr.manifest; the labels' columns follow."""


class Kept(Protocol):
    """Shards of earlier runs (cxr.intake.pixels): those whose images did not change are not made again."""

    def take(self, rows: slice, path: Path) -> bool: ...
    def keep(self, rows: slice, path: Path) -> None: ...


def write(
    folder: Path,
    images: Callable[[slice], Iterable[np.ndarray]],
    index: pd.DataFrame,
    *,
    shards: Sequence[slice] | None = None,
    kept: Kept | None = None,
) -> int:
    """Write the rows of `index` and their shards; return the images' side S.

    `images(rows)` gives the uint8 (S, S) images of a shard's rows, one at a time; `shards` are the
    rows of each shard, by default all in one. Raises ValueError if there is no image, if one has
    another size than the first, or is missing or left over.
    """
    if not len(index):
        raise ValueError("no image is left to prepare: see reports/validate and reports/split")
    names, size_px = index["image"].tolist(), 0
    with artifacts.folder(folder) as partial:
        for number, rows in enumerate(shards or [slice(0, len(index))]):
            path = partial / _shard_name(number)
            if kept is None or not kept.take(rows, path):
                _write_shard(path, images(rows), names[rows])
                if kept is not None:
                    kept.keep(rows, path)
            side = np.load(path, mmap_mode="r").shape[1]
            size_px = size_px or side
            if side != size_px:
                raise ValueError(_odd(names[rows.start], f"uint8 {(side, side)}", size_px))
        artifacts.write_csv(partial / "index.csv", index[[*COLUMNS, *label_columns(index)]])
    return size_px


def _write_shard(path: Path, images: Iterable[np.ndarray], names: Sequence[str]) -> None:
    # written by hand, image by image: np.save wants the whole shard in memory, twice
    stream, size_px = iter(images), 0
    with path.open("wb") as file:
        for name in names:
            image = next(stream, None)
            if image is None:
                raise ValueError(f"the images end before {name}")
            if not size_px:
                size_px = image.shape[0]
                shape = (len(names), size_px, size_px)
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            if image.shape != (size_px, size_px) or image.dtype != np.uint8:
                raise ValueError(_odd(name, f"{image.dtype} {image.shape}", size_px))
            file.write(image.tobytes())
    if next(stream, None) is not None:
        raise ValueError(f"there are more images than the index has rows ({len(names)})")


def _odd(name: str, found: str, size_px: int) -> str:
    return (
        f"{name} came out as {found}, expected uint8 {(size_px, size_px)}: preprocess.steps must "
        "bring all images to one square size"
    )


def _shard_name(number: int) -> str:
    return f"images-{number:04d}.npy"


def rows(index: pd.DataFrame, splits: pd.DataFrame, part: str) -> list[np.ndarray]:
    """Return, for each fold of `splits`, the positions in `index` of the images in `part`."""
    parts = splits.set_index("image").loc[index["image"]]
    folds = [name for name in parts.columns if name.startswith("fold_")]
    return [np.flatnonzero((parts[name] == part).to_numpy()) for name in folds]


def share_test(index: pd.DataFrame, splits: pd.DataFrame) -> bool:
    """Tell whether several folds of `splits` all test the same images, so that their mean is judged.

    Raises ValueError where only some of the images are test in several folds, or in not all of them.
    """
    tests = rows(index, splits, "test")
    tested_N = np.bincount(np.concatenate(tests), minlength=len(index))
    times = set(tested_N[tested_N > 0].tolist())
    if times and times not in ({1}, {len(tests)}):
        row = int(tested_N.argmax())
        raise ValueError(
            f"data/splits.csv: {index['image'].iloc[row]} is test in {tested_N[row]} of {len(tests)} "
            "folds, which not every test image is: each is scored by one network, or by the mean of "
            "all; run `dvc repro split`"
        )
    return len(tests) > 1 and times == {len(tests)}


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
        numbers = itertools.takewhile(
            lambda number: (folder / _shard_name(number)).is_file(), itertools.count()
        )
        self._shards = [np.load(folder / _shard_name(i), mmap_mode="r") for i in numbers]
        ends = np.cumsum([len(shard) for shard in self._shards], dtype=np.int64)
        if not len(ends) or ends[-1] < len(index):
            raise ValueError(
                f"{folder / _shard_name(len(ends))} is missing: run `dvc repro preprocess`"
            )
        if ends[-1] != len(index):
            raise ValueError(
                f"{folder}: index.csv has {len(index)} rows, the shards have {ends[-1]} images: "
                "run `dvc repro -f preprocess`"
            )
        self._starts = ends - [len(shard) for shard in self._shards]
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
        shard_of = np.searchsorted(self._starts, rows, side="right") - 1
        for number in np.unique(shard_of):
            here = shard_of == number
            images[here] = self._shards[number][rows[here] - self._starts[number]]
        return images

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to a worker as the folder's name, not as pixels."""
        return read, (self._folder,)
