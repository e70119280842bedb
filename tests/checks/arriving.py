"""A manifest of which the last images came with the newest arrival."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from cxr.checks._arrival import Arrival
from tests import factories

FOLDER = "toy/new"


def manifest(before: int, now: int, *, images_per_patient: int = 2) -> pd.DataFrame:
    """Return `before` images and `now` that came later, all alike."""
    table = factories.manifest(before + now, images_per_patient=images_per_patient)
    new = table.index >= before
    table.loc[new, "image"] = table.loc[new, "image"].str.replace("toy/images", FOLDER)
    return table


def arrival(
    frozen: Collection[str] = (), *, by_patient: bool = True, near_duplicates: bool = True
) -> Arrival:
    """Return what validate knows of the arrival."""
    return Arrival(folder=FOLDER, frozen=frozenset(frozen), by_patient=by_patient,
                   near_duplicates=near_duplicates)  # fmt: skip
