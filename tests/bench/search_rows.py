"""The finished rows of `make bench-search`, and how often test images were looked at for them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cxr import artifacts

COLUMNS = ["data", "seed", "method", "part", "openings", "recipe", "networks", "samples", "front", "hypervolume", "search_val_hypervolume", "auroc", "auroc_sd", "accuracy", "accuracy_sd", "search_val_auroc", "macs", "parameters", "network"]  # fmt: skip
"""A row per data set, seed and method. part: which images judged hypervolume, auroc and accuracy, val
or test; openings: how often test was looked at for the row (0 for val), more than 1 only after a
loss of power in between; recipe: hash of all settings; networks and samples: what the search tried
and saw; front: its members; auroc, accuracy: of the pick, means over its seeds; network: the pick."""
OPENINGS = ["data", "seed"]


class Rows:
    """The table `rows.csv` of a folder; each addition is whole or not there.

    Another benchmark's rows have other columns, data, seed, part, openings and recipe among them.
    """

    columns: Sequence[str] = COLUMNS
    counts: Sequence[str] = ("networks", "samples", "front")
    """columns of whole numbers, empty where there is none: baselines search nothing"""

    def __init__(self, folder: Path) -> None:
        self.path, self._openings = folder / "rows.csv", folder / "openings.csv"

    def read(self) -> pd.DataFrame:
        """Return all rows, in the order in which they were finished."""
        return _read(self.path, self.columns, dict.fromkeys(self.counts, "Int64"))

    def left(self, seeds: Mapping[str, Sequence[int]]) -> list[tuple[str, int]]:
        """Return data sets and `seeds` that are not done, the data sets in turn.

        So that a sitting that ends early leaves rows of each.
        """
        longest = max(map(len, seeds.values()))
        pairs = [(name, some[i]) for i in range(longest) for name, some in seeds.items() if i < len(some)]  # fmt: skip
        return [(name, seed) for name, seed in pairs if not self.has(name, seed)]

    def has(self, data: str, seed: int) -> bool:
        """Tell whether the seed is done: then it is never run again."""
        rows = self.read()
        return bool(((rows["data"] == data) & (rows["seed"] == seed)).any())

    def check(self, recipes: Mapping[str, str]) -> None:
        """Raise ValueError if rows stand there that were made with other settings."""
        rows = self.read()
        for data, recipe in recipes.items():
            others = rows[(rows["data"] == data) & (rows["recipe"] != recipe)]
            if len(others):
                raise ValueError(
                    f"{self.path} holds {len(others)} rows of {data} of another recipe "
                    f"({others['recipe'].iloc[0]}, now {recipe}): rows are never mixed and none is "
                    "made again; bring the study's recipe back, or begin in another folder and say why"
                )

    def open(self, data: str, seed: int) -> int:
        """Note that test images are about to be looked at; return how often they were, this time too."""
        known = _read(self._openings, OPENINGS, {})
        known = pd.concat([known, pd.DataFrame([[data, seed]], columns=OPENINGS)])
        artifacts.write_csv(self._openings, known)
        return int(((known["data"] == data) & (known["seed"] == seed)).sum())

    def add(self, found: Sequence[Mapping[str, Any]]) -> None:
        """Add the rows of one seed, all or none of them."""
        new = pd.DataFrame(found, columns=list(self.columns))
        known = self.read()
        table = pd.concat([known, new], ignore_index=True) if len(known) else new
        artifacts.write_csv(self.path, table.astype(dict.fromkeys(self.counts, "Int64")))


def end(bench: str, done: bool, *, folder: Path, minutes: float) -> str:
    """Say of a sitting of tests/bench/<bench>.py that all is done, or how it goes on."""
    if done:
        return f"all is done: {folder}"
    words = sys.argv[1:]
    again = " ".join([f"python -m tests.bench.{bench}", *words]) if words else f"make bench-{bench}"
    return f"the sitting of {minutes:g} minutes is over; go on with: {again}"


def _read(path: Path, columns: Sequence[str], kinds: Mapping[str, str]) -> pd.DataFrame:
    if not path.is_file():
        return pd.DataFrame(columns=list(columns))
    return artifacts.read_csv(path, dtype={**kinds, "recipe": str})
