"""The whole method: link images, divide them once or into folds, or take up an earlier division."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd

from cxr import seeding
from cxr.splitting import assignments, grouping, holdout


def split(
    manifest: pd.DataFrame,
    shares: Mapping[str, float],
    *,
    protocol: str,
    near_pairs: pd.DataFrame | None,
    folds: int,
    respect_given: bool,
    old: pd.DataFrame | None,
    frozen: Collection[str],
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the parts and what is left out so that nothing leaks; the order of rows does not matter.

    Parts: image, group, fold_0, fold_1, …, a row per image, sorted. Left out: image, group, fold,
    why. `near_pairs` has image_a and image_b (None: they may go anywhere), `old` is an earlier
    table of parts. Raises ValueError where a part that has a share stays empty.
    """
    table = manifest.sort_values("image", kind="stable").reset_index(drop=True)
    by_image = protocol == "by_image"
    links = grouping.by_image(table) if by_image else grouping.by_patient(table, near_pairs)
    table["group"] = grouping.groups(links)
    usable = table[grouping.usable(table)]
    if folds > 1 and respect_given:
        _refuse_given(usable, folds)
    rngs = [seeding.stream(seed, "split", "fold", i) for i in range(folds)]
    if old is not None:
        divisions = assignments.extend(
            table, links, old, shares, seed=seed, frozen=frozen, respect_given=respect_given
        )
        bridges = pd.concat([division["bridge"] for division in divisions], axis=1).any(axis=1)
        table["group"] = grouping.groups(links, apart_I=bridges.to_numpy())
    elif folds == 1:
        divisions = [holdout.divide(usable, shares, rng=rngs[0], respect_given=respect_given)]
    else:
        rng = seeding.stream(seed, "split", "folds")
        divisions = holdout.folds(usable, shares, rngs=rngs, rng=rng)
    parts, left_out = table[["image", "group"]].copy(), []
    for i, division in enumerate(divisions):
        fold = f"fold_{i}"
        parts[fold] = division["part"].reindex(table.index, fill_value=holdout.EXCLUDED)
        _refuse_empty(parts, fold, shares)
        reasons = division.loc[division["why"] != "", ["why"]].assign(fold=fold)
        left_out.append(table[["image", "group"]].join(reasons[["fold", "why"]], how="right"))
    return parts, pd.concat(left_out).sort_values(["image", "fold"], kind="stable")


def _refuse_given(manifest: pd.DataFrame, folds: int) -> None:
    """Raise ValueError where folds would test images that the data set itself gave a part."""
    given = manifest[manifest["given_split"].isin(holdout.GIVEN_PARTS)]
    if len(given):
        raise ValueError(
            f"split.folds is {folds}, but {', '.join(sorted(given['dataset'].unique()))} "
            f"marks {len(given)} images as test or val: set split.folds: 1, or "
            "split.respect_given: false to mix them with the others"
        )


def _refuse_empty(parts: pd.DataFrame, fold: str, shares: Mapping[str, float]) -> None:
    """Raise ValueError where a part that should hold something holds nothing."""
    empty = [part for part, share in shares.items() if share > 0 and part not in set(parts[fold])]
    if empty:
        raise ValueError(
            f"{fold}: nothing in {', '.join(empty)}: {parts['group'].nunique()} groups of "
            f"patients are too few; set split.fractions.{empty[0]}: 0 or bring more patients"
        )
