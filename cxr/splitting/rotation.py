"""k folds around one test part: val goes round, and what is held out is the same in every fold.

Images that are neither test, search_val nor calibration make k equal pieces, each with its share of
every label: in fold i piece i is val and the others are train, so each of these images is val once
and the k networks can judge test together. One column says it all: there a piece is a part by itself,
named after the fold whose val it is, and what divides once or takes up one division does so here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from cxr import manifest as manifests
from cxr.splitting import holdout, stratify

GIVEN = ("test",)
"""The part in which a data set's own list counts; images that it marks val go round with train."""
_TURNING = ("train", "val")


def pieces(folds: int) -> list[str]:
    """Return the names of the pieces: number i is val in fold i."""
    return [f"val of fold_{i}" for i in range(folds)]


def in_each_fold(shares: Mapping[str, float], folds: int, *, held_out: bool) -> dict[str, float]:
    """Return the parts' shares in a fold: where val goes round, one k-th of train and val together."""
    if not held_out:
        return dict(shares)
    pool = sum(shares[part] for part in _TURNING)
    own = {"train": pool * (folds - 1) / folds, "val": pool / folds}
    return {part: own.get(part, share) for part, share in shares.items()}


def in_one_column(shares: Mapping[str, float], folds: int) -> dict[str, float]:
    """Return the shares with the k pieces, equal ones, in the place of train and val."""
    pool = sum(shares[part] for part in _TURNING)
    held = {part: share for part, share in shares.items() if part not in _TURNING}
    return dict.fromkeys(pieces(folds), pool / folds) | held


def frozen_pieces(frozen: Collection[str], folds: int) -> list[str]:
    """Return what is frozen in one column: every piece is train in some fold and val in another."""
    held = [part for part in frozen if part not in _TURNING]
    return held + pieces(folds) * (len(held) < len(frozen))


def divide(
    manifest: pd.DataFrame,
    shares: Mapping[str, float],
    *,
    folds: int,
    rng: np.random.Generator,
    own: np.random.Generator,
    given: Collection[str],
) -> pd.DataFrame:
    """Return the column: part and why of each image; `given` as in holdout.divide.

    First one division as for a single fold, with the same `own` generator, so that one network and k
    can be judged by the same test part; then what it calls train and val is cut into k with `rng`.
    """
    result = holdout.divide(manifest, shares, rng=own, given=given)
    free = manifest[result["part"].isin(_TURNING)]
    equal = dict.fromkeys(pieces(folds), 1.0)
    labels_IL = manifests.label_array(free)
    result.loc[free.index, "part"] = stratify.assign(labels_IL, free["group"], equal, rng=rng)
    return result


def unfold(column: pd.DataFrame, folds: int) -> list[pd.DataFrame]:
    """Return the division of each fold: its own piece is val, the others are train."""
    result = []
    for own in pieces(folds):
        turn = {name: "val" if name == own else "train" for name in pieces(folds)}
        result.append(column.assign(part=column["part"].replace(turn)))
    return result


def fold_up(table: pd.DataFrame, folds: int, *, where: str) -> pd.DataFrame:
    """Return image and the one column, fold_0, of an earlier table of parts that `unfold` made.

    Raises ValueError that names `where` the table comes from if some image does not go round.
    """
    part_IF = table[[f"fold_{i}" for i in range(folds)]].to_numpy(object)
    is_val_IF = part_IF == "val"
    turns_I = (is_val_IF.sum(axis=1) == 1) & np.isin(part_IF, _TURNING).all(axis=1)
    stays_I = (part_IF == part_IF[:, :1]).all(axis=1) & ~np.isin(part_IF[:, 0], _TURNING)
    odd = np.flatnonzero(~(turns_I | stays_I))
    if len(odd):
        raise ValueError(
            f"{where}: {len(odd)} images don't go round, first {table['image'].iloc[odd[0]]!r}, which "
            f"is {', '.join(part_IF[odd[0]])}: with split.test: held_out an image is val in one fold "
            "and train in the others, or the same in all; set split.test: in_turn, or divide anew"
        )
    own_I = np.array(pieces(folds), dtype=object)[is_val_IF.argmax(axis=1)]
    return pd.DataFrame(
        {"image": table["image"], "fold_0": np.where(turns_I, own_I, part_IF[:, 0])}
    )
