"""Take up a division made before: old images stay, new ones go with their group, new groups are drawn.

A new group's part is a function of the seed and the group's name alone, so it does not depend on
which other groups come, together or one after another. An image that is new and linked to two
parts stands on neither side: it would carry one part's patients or pictures into the other.

Letters in names: I images, K keys, E entries of Links, G groups.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from cxr import seeding
from cxr.splitting import grouping, rotation
from cxr.splitting.holdout import EXCLUDED, brings, claims, conflict


def parse(
    content: bytes,
    *,
    sha256: str,
    folds: int,
    held_out: bool,
    shares: Mapping[str, float],
    where: str,
) -> pd.DataFrame:
    """Return the table of an earlier splits.csv: image and a column per fold, all text.

    `held_out`: whether its folds have one test part (cxr.splitting.rotation). Raises ValueError that
    names the file `where` if its hash, its folds, its parts or what its folds test are others.
    """
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise ValueError(
            f"{where} has sha256 {found}, split.assignments says {sha256}: take the file back from "
            "git, or give its new sha256 if the change is meant"
        )
    try:
        table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    except ValueError as error:  # not a table, not UTF-8
        raise ValueError(f"{where} is no CSV file: {error}") from None
    _check(table, folds=folds, shares=shares, where=where)
    if held_out:
        rotation.fold_up(table, folds, where=where)
    else:
        _refuse_tested_twice(table, where=where)
    return table


def _check(table: pd.DataFrame, *, folds: int, shares: Mapping[str, float], where: str) -> None:
    wanted = [f"fold_{i}" for i in range(folds)]
    found = [name for name in table.columns if name.startswith("fold_")]
    if "image" not in table.columns or found != wanted:
        raise ValueError(
            f"{where} must have the columns image, {', '.join(wanted)} for split.folds: {folds}, "
            f"not {', '.join(table.columns)}"
        )
    twice = table["image"][table["image"].duplicated()]
    if len(twice):
        raise ValueError(f"{where}: {len(twice)} images stand twice, first {twice.iloc[0]!r}")
    known = [part for part, share in shares.items() if share > 0]
    for fold in wanted:
        odd = table[~table[fold].isin([*known, EXCLUDED])]
        if len(odd):
            raise ValueError(
                f"{where}: {fold} puts {len(odd)} images into {odd[fold].iloc[0]!r}, first "
                f"{odd['image'].iloc[0]!r}: parts with a share in split.fractions are {', '.join(known)}"
            )


def _refuse_tested_twice(table: pd.DataFrame, *, where: str) -> None:
    """Raise ValueError where an image is test in several folds: each network would score it."""
    tested_I = (table.filter(regex="^fold_") == "test").sum(axis=1)
    twice = table["image"][tested_I > 1]
    if len(twice):
        raise ValueError(
            f"{where}: {len(twice)} images are test in several folds, first {twice.iloc[0]!r}: set "
            "split.test: held_out, as the study had that made it, or divide anew"
        )


def extend(
    manifest: pd.DataFrame,
    links: grouping.Links,
    old: pd.DataFrame,
    shares: Mapping[str, float],
    *,
    seed: int,
    frozen: Collection[str],
    given: Collection[str],
) -> list[pd.DataFrame]:
    """Return part, why and bridge of each image, one table per fold column of `old`.

    `bridge` tells the images that link two parts. Nothing new enters a part of `frozen`. `given` are
    the parts in which a data set's own list counts. Raises ValueError if no part is left that a new
    group could go to.
    """
    manifest = manifest.assign(group=grouping.groups(links))
    brought = brings(manifest, given=given)
    usable_I, by_image = grouping.usable(manifest), old.set_index("image")
    folds = [name for name in old.columns if name.startswith("fold_")]
    result = []
    for fold, name in enumerate(folds):
        part_I = by_image[name].reindex(manifest["image"]).fillna(EXCLUDED).to_numpy(object)
        table = _followed(
            links, part_I, manifest["given_split"], brought, frozen=frozen, given=given
        )
        is_new_I = (table["part"] == "").to_numpy()
        names_I = grouping.names(links.name_I, grouping.components(links, is_new_I))
        new_I = is_new_I & usable_I
        new = manifest.assign(group=names_I)[new_I]
        table.loc[new_I, ["part", "why"]] = _drawn(
            new, brought[new_I], shares, fold=fold, folds=len(folds), seed=seed, frozen=frozen,
            given=given,
        )  # fmt: skip
        table.loc[~usable_I, ["part", "why"]] = [EXCLUDED, ""]
        result.append(table)
    return result


def _followed(
    links: grouping.Links,
    part_I: np.ndarray,
    given_I: pd.Series,
    brought: pd.DataFrame,
    *,
    frozen: Collection[str],
    given: Collection[str],
) -> pd.DataFrame:
    """Return part, why and bridge of old images and of those linked to them; part "" for the rest."""
    parts = sorted(set(part_I) - {EXCLUDED})
    bits_I, is_new_I = _as_bits(part_I, parts), part_I == EXCLUDED
    reached_I = _reached(links, bits_I, is_new_I)
    bridge_I = is_new_I & (np.bitwise_count(reached_I) > 1)
    words = {bits: " and ".join(name for place, name in enumerate(parts) if bits >> place & 1)
             for bits in np.unique(reached_I).tolist()}  # fmt: skip
    reached = np.array([words[bits] for bits in reached_I.tolist()], dtype=object)
    part = pd.Series(np.where(is_new_I, reached, part_I), index=given_I.index, dtype=object)
    why = pd.Series("", index=given_I.index, dtype=object)
    why[bridge_I] = "links " + part[bridge_I]
    for name in parts:
        follows_I = is_new_I & ~bridge_I & (part == name)
        elsewhere_I = given_I.isin(given) | brought.get(name, False)
        clash_I = follows_I & (given_I != name) & elsewhere_I
        why[clash_I] = conflict(given_I[clash_I], part[clash_I])
        if name in frozen:
            why[follows_I] = f"its group stands in {name}, which is frozen"
    part[why != ""] = EXCLUDED
    return pd.DataFrame({"part": part, "why": why, "bridge": bridge_I})


def _as_bits(part_I: np.ndarray, parts: Sequence[str]) -> np.ndarray:
    """Return each image's part as one bit of an integer, 0 where it has none."""
    bit = {part: 1 << place for place, part in enumerate(parts)}
    return np.array([bit.get(part, 0) for part in part_I], dtype=np.int64)


def _reached(links: grouping.Links, bits_I: np.ndarray, is_new_I: np.ndarray) -> np.ndarray:
    """Return for each new image the parts, as bits, to which links lead from it.

    At first hand: an image that shares keys with two parts is a bridge, and passes nothing on.
    Then over other new images, until an old one; a chain from one part to another is a bridge too.
    """
    bits_K = np.zeros(int(links.key_E.max(initial=-1)) + 1, dtype=np.int64)
    np.bitwise_or.at(bits_K, links.key_E, bits_I[links.image_E])
    direct_I = np.zeros(len(bits_I), dtype=np.int64)
    np.bitwise_or.at(direct_I, links.image_E, bits_K[links.key_E])
    passing_I = is_new_I & (np.bitwise_count(direct_I) < 2)
    group_I = grouping.components(links, passing_I)
    bits_G = np.zeros(int(group_I.max(initial=-1)) + 1, dtype=np.int64)
    np.bitwise_or.at(bits_G, group_I[passing_I], direct_I[passing_I])
    return np.where(passing_I, bits_G[group_I], direct_I)


def _drawn(
    new: pd.DataFrame,
    brought: pd.DataFrame,
    shares: Mapping[str, float],
    *,
    fold: int,
    folds: int,
    seed: int,
    frozen: Collection[str],
    given: Collection[str],
) -> pd.DataFrame:
    """Return part and why of new groups: where their data set's list says, else by keyed hash."""
    result = claims(new, given=given)
    for part in frozen:
        here_I = result["part"] == part
        result.loc[here_I, "why"] = f"marked {part}, which is frozen"
        result.loc[here_I, "part"] = EXCLUDED
    free = new[result["part"] == ""]
    full_GP = brought.loc[free.index].groupby(free["group"]).first()
    drawn = {}
    for group, *is_full in full_GP.itertuples():
        full = {part for part, yes in zip(full_GP.columns, is_full, strict=True) if yes}
        left = {part: share for part, share in shares.items() if part not in full.union(frozen)}
        drawn[group] = _hashed(group, left, fold=fold, folds=folds, seed=seed)
    result.loc[free.index, "part"] = free["group"].map(drawn)
    return result


def _hashed(name: str, shares: Mapping[str, float], *, fold: int, folds: int, seed: int) -> str:
    """Return the part of a new group; of k folds it is test in one."""
    if folds > 1:
        tested = int(seeding.stream(seed, "split", "new group", "tested", name).random() * folds)
        if tested == fold and shares.get("test"):
            return "test"
        shares = {part: share for part, share in shares.items() if part != "test"}
    shares = {part: share for part, share in shares.items() if share > 0}
    if not shares:
        raise ValueError(f"no part is open to the new group {name!r}: shorten split.frozen")
    number = seeding.stream(seed, "split", "new group", fold, name).random()
    ends = np.cumsum(list(shares.values()))
    return list(shares)[int(np.searchsorted(ends / ends[-1], number, side="right"))]
