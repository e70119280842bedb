"""Count what a division came to, and look for what crosses in it, however it was made.

Patients and duplicates are counted from the manifest and the finished parts, not from the groups: a
mistake in the grouping would show here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pandas as pd

from cxr import manifest as manifests
from cxr.splitting import grouping
from cxr.splitting.holdout import EXCLUDED


def measure(
    manifest: pd.DataFrame,
    parts: pd.DataFrame,
    near_pairs: pd.DataFrame,
    left_out: pd.DataFrame,
    old: pd.DataFrame | None,
    *,
    protocol: str,
    shares: Mapping[str, float],
    frozen: Collection[str],
) -> dict[str, Any]:
    """Count images, groups and each label's positives of every part, what crosses, what is left out.

    `parts` and `left_out` are what parts.split returned, `near_pairs` all pairs there are, `old`
    the division that was taken up; `shares` has the parts of a study in its order.
    """
    table = manifest.merge(parts, on="image", validate="one_to_one")
    columns = [name for name in parts.columns if name.startswith("fold_")]
    in_pairs = set(near_pairs["image_a"]) | set(near_pairs["image_b"])
    one, other = (grouping.by_patient(table, pairs) for pairs in (None, near_pairs))
    joins = pd.unique(grouping.groups(one)).size - pd.unique(grouping.groups(other)).size
    result = {
        "protocol": protocol,
        "images": len(table),
        "groups": int(table["group"].nunique()),
        "largest_group": int(table["group"].value_counts().max()),
        "near_duplicates": {"pairs": len(near_pairs), "images": len(in_pairs), "joins": int(joins)},
        "crossing": {fold: crossing(table, near_pairs, fold) for fold in columns},
        "bridging": _left_out(left_out),
        "assignments": None if old is None else _taken_up(old, manifest, frozen),
        "folds": {fold: _counts(table, fold, list(shares)) for fold in columns},
    }
    return {**result, "warnings": list(_warnings(result, shares))}


def _counts(table: pd.DataFrame, fold: str, names: list[str]) -> dict[str, Any]:
    """Return images, groups and positives of each label, by part."""
    columns, result = manifests.label_columns(table), {}
    for part in (*names, EXCLUDED):
        rows = table[table[fold] == part]
        positives = (rows[columns] == 1).sum()
        result[part] = {
            "images": len(rows),
            "groups": int(rows["group"].nunique()),
            "labels": {x.removeprefix(manifests.LABEL_PREFIX): int(positives[x]) for x in columns},
        }
    return result


def crossing(table: pd.DataFrame, near_pairs: pd.DataFrame, fold: str) -> dict[str, int]:
    """Return how many patients and groups of duplicates have images in two parts of a fold.

    Excluded images are on no side and pass nothing on.
    """
    used_I = (table[fold] != EXCLUDED).to_numpy()
    part = table[fold][used_I]
    copies_I = grouping.components(grouping.duplicates(table, near_pairs), used_I)
    return {
        "patients": int((part.groupby(table["patient"][used_I]).nunique() > 1).sum()),
        "duplicate_groups": int((part.groupby(copies_I[used_I]).nunique() > 1).sum()),
    }


def _left_out(left_out: pd.DataFrame) -> dict[str, Any]:
    """Count the images that are left out so that nothing leaks; `why` by words, over all folds."""
    return {
        "images": int(left_out["image"].nunique()),
        "groups": int(left_out["group"].nunique()),
        "why": {str(why): int(n) for why, n in sorted(left_out["why"].value_counts().items())},
    }


def _taken_up(old: pd.DataFrame, manifest: pd.DataFrame, frozen: Collection[str]) -> dict[str, int]:
    """Count the images of an earlier division that are still there, those gone, and the new ones."""
    folds = [name for name in old.columns if name.startswith("fold_")]
    placed = old[(old[folds] != EXCLUDED).any(axis=1)]
    gone_I = ~placed["image"].isin(manifest["image"])
    in_frozen_I = placed[folds].isin(list(frozen)).any(axis=1)
    return {
        "kept": int((~gone_I).sum()),
        "gone": int(gone_I.sum()),
        "gone_from_frozen": int((gone_I & in_frozen_I).sum()),
        "new": int((~manifest["image"].isin(placed["image"])).sum()),
    }


def _warnings(metrics: Mapping[str, Any], shares: Mapping[str, float]) -> Iterator[str]:
    """Yield what a reader of any number of this study must know, one sentence each."""
    folds, old = metrics["crossing"].values(), metrics["assignments"] or {}
    patients, copies = (max(n[kind] for n in folds) for kind in ("patients", "duplicate_groups"))
    cross = f"{patients} patients and {copies} duplicate groups cross"
    cross += " in the worst fold" if len(folds) > 1 else ""
    if metrics["protocol"] == "by_image":
        yield f"split by image: images of one patient stand on both sides; {cross}"
    elif patients or copies:
        yield f"the parts are not independent: {cross}"
    share, part = min((share, part) for part, share in shares.items() if share > 0)
    if metrics["largest_group"] > share * metrics["images"]:
        yield (
            f"the largest group has {metrics['largest_group']} of {metrics['images']} images, more "
            f"than the share of {part}: its labels can't be spread"
        )
    if old.get("gone_from_frozen"):
        yield f"{old['gone_from_frozen']} images of frozen parts are gone: results before had them"
