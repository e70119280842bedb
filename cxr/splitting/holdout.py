"""Divide a data set once, with what its own lists decide, or into k folds of which each is test.

A division is a table with a row per image: `part`, and `why` an image that could be used is not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from cxr import manifest as manifests
from cxr.splitting import stratify

EXCLUDED = "excluded"
GIVEN_PARTS = ("test", "val")  # what a data set's own split may fill, the stronger claim first


def divide(
    manifest: pd.DataFrame,
    shares: Mapping[str, float],
    *,
    rng: np.random.Generator,
    given: Collection[str],
) -> pd.DataFrame:
    """Return part and why of each image; `manifest` has a column group, `shares` says who gets what.

    `given` are those of GIVEN_PARTS in which a data set's own list counts: images that it marks so
    are placed first. Of a group that stands in a given part only the images named there are used,
    its others would leak and are excluded. A data set that brings a part gives nothing more to it;
    others still do: where train, val and test are given, search_val and calibration are taken from
    train.
    """
    result = claims(manifest, given=given)
    brought = brings(manifest, given=given)
    free = manifest[result["part"] == ""]
    for is_brought, rows in free.groupby([brought[part] for part in GIVEN_PARTS], sort=True):
        full = [part for part, yes in zip(GIVEN_PARTS, is_brought, strict=True) if yes]
        left = {part: share for part, share in shares.items() if part not in full}
        labels_IL = manifests.label_array(rows)
        result.loc[rows.index, "part"] = stratify.assign(labels_IL, rows["group"], left, rng=rng)
    return result


def claims(manifest: pd.DataFrame, *, given: Collection[str]) -> pd.DataFrame:
    """Return the part that a data set's own list gives to each image, empty where it is free."""
    part_I = pd.Series("", index=manifest.index, dtype=object)
    for part in GIVEN_PARTS:
        here_I = (manifest["given_split"] == part) & (part in given)
        here_I &= part_I == ""  # a group that test holds gives nothing to val
        part_I[here_I.groupby(manifest["group"]).transform("any")] = EXCLUDED
        part_I[here_I] = part
    why_I = pd.Series("", index=manifest.index, dtype=object)
    lost_I, given_I = part_I == EXCLUDED, part_I.isin(GIVEN_PARTS)
    held_G = part_I[given_I].groupby(manifest["group"][given_I]).first()
    held_I = manifest["group"][lost_I].map(held_G)
    why_I[lost_I] = conflict(manifest["given_split"][lost_I], held_I)
    return pd.DataFrame({"part": part_I, "why": why_I})


def conflict(given_I: pd.Series, held_I: pd.Series) -> pd.Series:
    """Say in words why an image can't stand where its data set's list puts it."""
    marked_I = ("marked " + given_I).where(given_I != "", "without a mark")
    return marked_I + ", but its group stands in " + held_I


def brings(manifest: pd.DataFrame, *, given: Collection[str]) -> pd.DataFrame:
    """Tell for each image and part whether a data set of its group has a list of it that counts."""
    result = pd.DataFrame(index=manifest.index)
    for part in GIVEN_PARTS:
        here_I = (manifest["given_split"] == part) & (part in given)
        in_dataset_I = here_I.groupby(manifest["dataset"]).transform("any")
        result[part] = in_dataset_I.groupby(manifest["group"]).transform("any")
    return result


def folds(
    manifest: pd.DataFrame,
    shares: Mapping[str, float],
    *,
    rngs: Sequence[np.random.Generator],
    rng: np.random.Generator,
) -> list[pd.DataFrame]:
    """Return the division of each of `len(rngs)` folds: k equal parts in turn are test.

    What is not test in a fold is divided by `shares` without test, with the fold's own generator.
    """
    numbers = {str(i): 1.0 for i in range(len(rngs))}
    labels_IL = manifests.label_array(manifest)
    tested_in_I = stratify.assign(labels_IL, manifest["group"], numbers, rng=rng)
    others = {part: share for part, share in shares.items() if part != "test"}
    result = []
    for number, own in zip(numbers, rngs, strict=True):
        table = pd.DataFrame({"part": "test", "why": ""}, index=manifest.index, dtype=object)
        rest = manifest[tested_in_I != number]
        table.loc[rest.index] = divide(rest, others, rng=own, given=())
        result.append(table)
    return result
