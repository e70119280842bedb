"""Divide images into parts so that no patient crosses and every part has its share of every label.

Groups: the connected components of "same patient" and "same pixels" (union-find). Assignment:
rarest label first, after Sechidis, Tsoumakas and Vlahavas 2011, "On the stratification of
multi-label data", but with whole groups, and each group goes where it least raises Pearson's
chi-square between what the parts hold and what they should hold. One rule then serves one label
per image, many labels per image and groups of any size.

Letters in names: I images, G groups, P parts, C counted columns, L labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cxr import manifest as manifests

EXCLUDED = "excluded"
GIVEN_PARTS = ("test", "val")  # what a data set's own split may fill, the stronger claim first


def groups(manifest: pd.DataFrame) -> pd.Series:
    """Return each image's group, named by the group's alphabetically first patient; index as given.

    Images of one patient are one group, and so are pixel-identical images of several patients.
    """
    nameless = manifest["image"][manifest["patient"].isin([""]) | manifest["patient"].isna()]
    if len(nameless):
        raise ValueError(
            f"{len(nameless)} images have no patient, first {nameless.iloc[0]!r}: let the reader "
            "give one (the image's own name where nothing is known)"
        )
    patient_I, _ = pd.factorize(manifest["patient"])
    pixels_I, _ = pd.factorize(manifest["pixels_sha256"].replace("", None))  # -1: none to compare
    parent = list(range(len(manifest) * 2))  # patients, then pixels; a root is its own parent
    for patient, pixels in zip(patient_I.tolist(), pixels_I.tolist(), strict=True):
        if pixels >= 0:
            parent[_root(parent, patient)] = _root(parent, len(manifest) + pixels)
    root_I = np.array([_root(parent, patient) for patient in patient_I.tolist()], dtype=np.int64)
    return manifest["patient"].groupby(root_I).transform("min").rename("group")


def _root(parent: list[int], node: int) -> int:
    """Follow the parents up to the root, halving the path on the way."""
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


def usable(manifest: pd.DataFrame) -> pd.Series:
    """Say for each image whether it can be decoded and has at least one known label."""
    known = manifest[manifests.label_columns(manifest)].notna().any(axis=1)
    return known & (manifest["fault"] == "")


def divide(
    manifest: pd.DataFrame,
    shares: Mapping[str, float],
    *,
    rng: np.random.Generator,
    respect_given: bool,
) -> pd.Series:
    """Return each image's part; `manifest` has a column group and `shares` says what a part gets.

    With `respect_given`, images that their data set marks test or val are placed first. Of a group
    that stands in a given part only the images named there are used, its others would leak and
    are excluded. A data set that brings a part gives nothing more to it; others still do.
    """
    part_I = pd.Series(EXCLUDED, index=manifest.index, dtype=object)
    bound_I = pd.Series(False, index=manifest.index)  # of groups that a given part already holds
    brought = pd.DataFrame(index=manifest.index)  # which parts does the group's data set bring?
    for part in GIVEN_PARTS:
        here_I = (manifest["given_split"] == part) & respect_given
        part_I[here_I & ~bound_I] = part
        bound_I |= here_I.groupby(manifest["group"]).transform("any")
        in_dataset_I = here_I.groupby(manifest["dataset"]).transform("any")
        brought[part] = in_dataset_I.groupby(manifest["group"]).transform("any")
    free = manifest[~bound_I]
    for is_brought, rows in free.groupby([brought[part] for part in GIVEN_PARTS], sort=True):
        full = [part for part, yes in zip(GIVEN_PARTS, is_brought, strict=True) if yes]
        left = {part: share for part, share in shares.items() if part not in full}
        part_I[rows.index] = assign(manifests.label_array(rows), rows["group"], left, rng=rng)
    return part_I


def folds(
    manifest: pd.DataFrame,
    shares: Mapping[str, float],
    *,
    rngs: Sequence[np.random.Generator],
    rng: np.random.Generator,
) -> list[pd.Series]:
    """Return the parts of each of `len(rngs)` folds: k equal parts in turn are test.

    What is not test in a fold is divided by `shares` without test, with the fold's own generator.
    """
    numbers = {str(i): 1.0 for i in range(len(rngs))}
    tested_in_I = assign(manifests.label_array(manifest), manifest["group"], numbers, rng=rng)
    others = {part: share for part, share in shares.items() if part != "test"}
    result = []
    for number, own in zip(numbers, rngs, strict=True):
        rest = manifest[tested_in_I != number]
        part_I = divide(rest, others, rng=own, respect_given=False)
        result.append(part_I.reindex(manifest.index, fill_value="test"))
    return result


def assign(
    labels_IL: np.ndarray,
    groups_I: np.ndarray | pd.Series,
    shares: Mapping[str, float],
    *,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return each image's part, as text (I,): a key of `shares`, whole groups together.

    `labels_IL` holds 1 present, 0 absent, NaN unknown; `shares` need not sum to 1, and a part
    with share 0 gets nothing. Equal groups are placed in an order drawn from `rng`; the order of
    the rows does not matter.
    """
    parts = [name for name, share in shares.items() if share > 0]
    if not parts:
        raise ValueError(f"no part has a share above 0: {dict(shares)}")
    names, group_I = np.unique(np.asarray(groups_I, dtype=str), return_inverse=True)
    counts_GC = _counts(labels_IL, group_I, len(names))
    share_P = np.array([shares[name] for name in parts])
    part_G = _greedy(counts_GC, share_P / share_P.sum(), _order(counts_GC, rng))
    return np.array(parts, dtype=object)[part_G][group_I]


def _counts(labels_IL: np.ndarray, group_I: np.ndarray, n_groups: int) -> np.ndarray:
    """Return (G, C): per group its positives of each label, images without any, images, and 1."""
    positive_IL = np.nan_to_num(labels_IL) > 0.5
    bare_I1 = ~positive_IL.any(axis=1, keepdims=True)
    columns_IC = np.hstack([positive_IL, bare_I1, np.ones_like(bare_I1)]).astype(np.float64)
    counts_GC = np.zeros((n_groups, columns_IC.shape[1]))
    np.add.at(counts_GC, group_I, columns_IC)
    return np.hstack([counts_GC, np.ones((n_groups, 1))])


def _order(counts_GC: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the groups, those with the rarest label first, then the largest, then as drawn.

    What is rare or large must be placed while every part still has room; the small common ones
    that come last even out the rest.
    """
    total_C = counts_GC.sum(axis=0)
    rarest_G = np.where(counts_GC > 0, total_C, np.inf).min(axis=1)
    images_G = counts_GC[:, -2]
    drawn_G = rng.permutation(len(counts_GC))
    return np.lexsort((drawn_G, -images_G, rarest_G))


def _greedy(counts_GC: np.ndarray, share_P: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return each group's part (G,), placing the groups in `order`.

    With a part holding `a` of the `t` it should get, a group that brings `c` raises its
    chi-square term (a - t)^2 / t by 2c (a + c/2) / t - 2c; the last summand is the same for all
    parts. In one column this is Sainte-Laguë's rule for dividing seats.
    """
    wanted_PC = share_P[:, None] * np.maximum(counts_GC.sum(axis=0), 1.0)
    held_PC = np.zeros_like(wanted_PC)
    part_G = np.zeros(len(counts_GC), dtype=np.int64)
    for group in order:
        brings_C = counts_GC[group]
        rise_P = ((held_PC + brings_C / 2) / wanted_PC) @ brings_C
        # sums in another order differ in their last bits: only a real difference may decide
        part_G[group] = chosen = int(np.argmin(np.round(rise_P, 9)))
        held_PC[chosen] += brings_C
    return part_G
