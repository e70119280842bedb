"""The whole method: link images, divide them once or into folds, or take up an earlier division."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd

from cxr import seeding
from cxr.splitting import assignments, grouping, holdout, rotation


def split(
    manifest: pd.DataFrame,
    shares: Mapping[str, float],
    *,
    protocol: str,
    near_pairs: pd.DataFrame | None,
    folds: int,
    held_out: bool,
    respect_given: bool,
    old: pd.DataFrame | None,
    frozen: Collection[str],
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the parts and what is left out so that nothing leaks; the order of rows does not matter.

    Parts: image, group, fold_0, fold_1, …, a row per image, sorted. Left out: image, group, fold,
    why. `near_pairs` has image_a and image_b (None: they may go anywhere), `old` is an earlier
    table of parts. `held_out`: k folds around one test part instead of k folds that are test in turn.
    Raises ValueError where a part that has a share stays empty.
    """
    table = manifest.sort_values("image", kind="stable").reset_index(drop=True)
    by_image = protocol == "by_image"
    links = grouping.by_image(table) if by_image else grouping.by_patient(table, near_pairs)
    table["group"] = grouping.groups(links)
    usable = table[grouping.usable(table)]
    if folds > 1 and respect_given and not held_out:
        _refuse_given(usable, folds)
    given = () if not respect_given else rotation.GIVEN if held_out else holdout.GIVEN_PARTS
    if old is not None:
        divisions = _taken_up(
            table, links, old, shares, held_out=held_out, seed=seed, frozen=frozen, given=given
        )
        bridges = pd.concat([division["bridge"] for division in divisions], axis=1).any(axis=1)
        table["group"] = grouping.groups(links, apart_I=bridges.to_numpy())
    else:
        divisions = _drawn(usable, shares, folds=folds, held_out=held_out, given=given, seed=seed)
    parts, left_out = table[["image", "group"]].copy(), []
    wanted = rotation.in_each_fold(shares, folds, held_out=held_out)
    for i, division in enumerate(divisions):
        fold = f"fold_{i}"
        parts[fold] = division["part"].reindex(table.index, fill_value=holdout.EXCLUDED)
        _refuse_empty(parts, fold, wanted, held_out=held_out)
        reasons = division.loc[division["why"] != "", ["why"]].assign(fold=fold)
        left_out.append(table[["image", "group"]].join(reasons[["fold", "why"]], how="right"))
    return parts, pd.concat(left_out).sort_values(["image", "fold"], kind="stable")


def _drawn(
    usable: pd.DataFrame,
    shares: Mapping[str, float],
    *,
    folds: int,
    held_out: bool,
    given: Collection[str],
    seed: int,
) -> list[pd.DataFrame]:
    """Return the division of each fold, drawn anew."""
    rngs = [seeding.stream(seed, "split", "fold", i) for i in range(folds)]
    if folds == 1:
        return [holdout.divide(usable, shares, rng=rngs[0], given=given)]
    rng = seeding.stream(seed, "split", "folds")
    if held_out:
        column = rotation.divide(usable, shares, folds=folds, rng=rng, own=rngs[0], given=given)
        return rotation.unfold(column, folds)
    return holdout.folds(usable, shares, rngs=rngs, rng=rng)


def _taken_up(
    table: pd.DataFrame,
    links: grouping.Links,
    old: pd.DataFrame,
    shares: Mapping[str, float],
    *,
    held_out: bool,
    seed: int,
    frozen: Collection[str],
    given: Collection[str],
) -> list[pd.DataFrame]:
    """Return the division of each fold of `old`, with what is new since."""
    if not held_out:
        return assignments.extend(table, links, old, shares, seed=seed, frozen=frozen, given=given)
    folds = sum(name.startswith("fold_") for name in old.columns)
    (column,) = assignments.extend(
        table, links, rotation.fold_up(old, folds, where="the earlier division"),
        rotation.in_one_column(shares, folds), seed=seed, given=given,
        frozen=rotation.frozen_pieces(frozen, folds),
    )  # fmt: skip
    return rotation.unfold(column, folds)


def _refuse_given(manifest: pd.DataFrame, folds: int) -> None:
    """Raise ValueError where folds would test images that the data set itself gave a part."""
    given = manifest[manifest["given_split"].isin(holdout.GIVEN_PARTS)]
    if len(given):
        raise ValueError(
            f"split.folds is {folds}, but {', '.join(sorted(given['dataset'].unique()))} "
            f"marks {len(given)} images as test or val: set split.test: held_out, so that the mean of "
            f"{folds} networks is judged by one test part, split.folds: 1, or "
            "split.respect_given: false to mix them with the others"
        )


def _refuse_empty(
    parts: pd.DataFrame, fold: str, shares: Mapping[str, float], *, held_out: bool
) -> None:
    """Raise ValueError where a part that should hold something holds nothing."""
    empty = [part for part, share in shares.items() if share > 0 and part not in set(parts[fold])]
    if empty:
        turns = held_out and empty[0] in ("train", "val")
        cure = "lower split.folds" if turns else f"set split.fractions.{empty[0]}: 0"
        raise ValueError(
            f"{fold}: nothing in {', '.join(empty)}: {parts['group'].nunique()} groups of "
            f"patients are too few; {cure} or bring more patients"
        )
