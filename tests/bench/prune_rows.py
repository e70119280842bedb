"""The finished rows of `make bench-prune`, and what each network's AUROC is with other patients.

resamples.csv holds, for each row, its macro AUROC when the judged images' patients are drawn anew: the
same draws for every network that is judged on the same images. So every difference of networks, of one
seed or of all seeds together, has its interval from there, in this or in a later sitting.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxr import artifacts
from tests.bench import search_rows

PARENT, SCRATCH = "parent", "scratch"
TRAINED_ON = "trained_on"
"""The parent itself, trained on as its cuts are: what they gain on it is not all pruning's."""
UNCUT = (PARENT, TRAINED_ON)
WHOLE = 100
"""In the place of the share of MACs kept, in per cent: that of the uncut."""
DRAWS = 1000
_UNIT = 100_000  # an AUROC is kept in whole hundred thousandths: a tenth of the text
_KEY = ["data", "seed", "share", "method"]


class Rows(search_rows.Rows):
    """rows.csv, openings.csv and resamples.csv of a folder.

    A row per data set, seed, share of the MACs kept (per cent) and method. part: which images judged
    auroc (macro), accuracy and labels (each label's AUROC), val or test, all folds' pooled; images: 12
    digits that stand for these images and their patients; openings: how often test was looked at for
    the row (0 for val); recipe: hash of all settings; code: names the code that made the row; macs: mean
    over folds; parameters: of the largest fold; filled: MACs in parts of those allowed, of the fold that
    has the fewest; worst_label, worst_fall: the label whose AUROC is furthest below the parent's, and how
    far; val_auroc: mean over folds, of the epoch that val chose; origin: of what is handed over, whose cut
    it is in how many folds; of evolved, which baselines' cut it is too, in how many.
    """

    columns: Sequence[str] = (
        "data", "seed", "share", "method", "part", "images", "openings", "recipe", "code",
        "macs", "parameters", "filled", "auroc", "accuracy", "worst_label", "worst_fall", "val_auroc",
        "origin", "labels",
    )  # fmt: skip
    counts = ("share", "macs", "parameters", "openings")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._resamples = folder / "resamples.csv"

    def has(self, data: str, seed: int) -> bool:
        """Tell whether the seed has all its rows; the first ones were made without TRAINED_ON."""
        return (WHOLE, TRAINED_ON) in self._known(data, seed)

    def _known(self, data: str, seed: int) -> dict[tuple[int, str], float]:
        """Return by share and method the AUROC of the seed's rows."""
        rows = self.read()
        mine = rows[(rows["data"] == data) & (rows["seed"] == seed)]
        return {(int(x.share), str(x.method)): float(x.auroc) for x in mine.itertuples()}

    def resamples(self) -> dict[tuple[str, int, int, str], np.ndarray]:
        """Return by data set, seed, share and method the resampled macro AUROC float64 (B,); NaN: undefined."""
        if not self._resamples.is_file():
            return {}
        table = artifacts.read_csv(self._resamples).set_index(_KEY)
        values = table.to_numpy(np.float64) / _UNIT
        return dict(zip(table.index, values, strict=True))

    def keep(
        self, found: Sequence[Mapping[str, Any]], resamples: Sequence[np.ndarray]
    ) -> None:  # fmt: skip
        """Add a seed's rows and their resampled AUROC; the rows last, which say that the seed is done.

        Rows that are there stay as they are. Raises ValueError where one is found with another AUROC now.
        """
        known = self._known(found[0]["data"], found[0]["seed"])
        for row in found:
            there = known.get((row["share"], row["method"]), row["auroc"])
            if not math.isclose(there, row["auroc"], abs_tol=1e-9):
                raise ValueError(
                    f"{self.path} says AUROC {there} of {row['method']} at {row['share']} % ({row['data']}, "
                    f"seed {row['seed']}), now it is {row['auroc']}: rows of two codes are never mixed; "
                    "begin in another folder and say why"
                )
        pairs = zip(found, resamples, strict=True)
        lacking = [(row, one) for row, one in pairs if (row["share"], row["method"]) not in known]
        found, resamples = [row for row, _ in lacking], [one for _, one in lacking]
        new = pd.DataFrame([{key: row[key] for key in _KEY} for row in found])
        cells = pd.DataFrame(
            np.round(np.stack(resamples) * _UNIT),
            columns=[f"r{place}" for place in range(len(resamples[0]))],
        ).astype("Int64")
        new = pd.concat([new, cells], axis=1)
        if self._resamples.is_file():
            old = artifacts.read_csv(self._resamples, dtype=dict.fromkeys(cells.columns, "Int64"))
            # of a sitting that was lost between the two files
            same = old.set_index(_KEY).index.isin(new.set_index(_KEY).index)
            new = pd.concat([old[~same], new], ignore_index=True)
        artifacts.write_csv(self._resamples, new)
        self.add(found)


def mean_macs(macs: Sequence[int]) -> int:
    """Return the mean over folds, rounded."""
    return round(math.fsum(macs) / len(macs))
