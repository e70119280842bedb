"""Place whole groups so that every part has its share of every label.

Rarest label first, after Sechidis, Tsoumakas and Vlahavas 2011, "On the stratification of
multi-label data", but with whole groups, and each group goes where it least raises Pearson's
chi-square between what the parts hold and what they should hold. One rule then serves one label
per image, many labels per image and groups of any size.

Letters in names: I images, G groups, P parts, C counted columns, L labels.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd


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
        part_G[group] = chosen = int(rise_P.round(9).argmin())
        held_PC[chosen] += brings_C
    return part_G
