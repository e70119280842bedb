"""Tables in which patients, pixels and near pairs tie images together, and what may never be seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from cxr import seeding
from cxr.splitting import parts
from tests import factories

SHARES = {"train": 0.56, "search_val": 0.08, "val": 0.12, "calibration": 0.04, "test": 0.20}
SIDES = {"train": 0.6, "val": 0.15, "test": 0.25}  # for tables too small to fill five parts


def split(
    manifest: pd.DataFrame, shares: dict[str, float] | None = None, **options: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Call parts.split with plain settings, of which `options` changes some."""
    settings: dict[str, Any] = {
        "protocol": "by_patient", "near_pairs": None, "folds": 1, "held_out": False, "respect_given": True,
        "old": None, "frozen": [], "seed": 7,
    }  # fmt: skip
    return parts.split(manifest, shares or SIDES, **(settings | options))


def pairs(manifest: pd.DataFrame, *rows: tuple[int, int]) -> pd.DataFrame:
    """Return near pairs by place in the manifest."""
    image = manifest["image"].tolist()
    named = [sorted((image[one % len(image)], image[other % len(image)])) for one, other in rows]
    return pd.DataFrame([pair for pair in named if pair[0] != pair[1]],
                        columns=["image_a", "image_b"], dtype=object)  # fmt: skip


@st.composite
def tied(draw: st.DrawFn, *, patients: int = 40) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw a manifest of small patients with copies across them, and near pairs."""
    places = st.integers(0, 4 * patients)
    sizes = draw(st.lists(st.integers(1, 4), min_size=patients, max_size=patients))
    copies = draw(st.lists(st.tuples(places, places), max_size=6))
    near = draw(st.lists(st.tuples(places, places), max_size=6))
    manifest = factories.manifest(sum(sizes), multilabel=True, seed=draw(st.integers(0, 99)))
    manifest["patient"] = np.repeat([f"toy/{i:03d}" for i in range(patients)], sizes)
    for one, other in copies:
        pixels = manifest["pixels_sha256"][one % len(manifest)]
        manifest.loc[other % len(manifest), "pixels_sha256"] = pixels
    return manifest, pairs(manifest, *near)


def shuffled(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in another order."""
    return manifest.iloc[seeding.stream(3, "test order").permutation(len(manifest))]


def crossing(manifest: pd.DataFrame, near: pd.DataFrame, part_I: pd.Series) -> list[str]:
    """Say which patients, pixels and pairs stand on two sides; by hand, to judge what the code counts.

    `part_I` has the images as its index.
    """
    used = part_I[part_I != "excluded"]
    table = manifest.set_index("image").loc[used.index].assign(part=used)
    found = [
        f"{column} {value}"
        for column in ("patient", "pixels_sha256")
        for value, rows in table.groupby(column)
        if rows["part"].nunique() > 1
    ]
    here = near[near["image_a"].isin(used.index) & near["image_b"].isin(used.index)]
    ends = zip(here["image_a"], here["image_b"], strict=True)
    return found + [f"pair {one} {other}" for one, other in ends if used[one] != used[other]]


def tested(parts_: pd.DataFrame) -> pd.DataFrame:
    """Return the fold columns with the images as index."""
    return parts_.set_index("image").filter(like="fold_")
