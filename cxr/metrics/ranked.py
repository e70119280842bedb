"""A label's images in the order of their scores: sorted once, then weighted as often as wanted.

Both areas below depend on the absent images only through how many of them lie above or below each
present one. The sorted images are therefore cut into stretches, one for each score that a present
image has and one for what lies between two of those: a resample costs one pass over the images.

Sources: AUROC as in `cxr.metrics.auroc`, with the same bits. Average precision is the sum over
present images of the precision at their score, without interpolation, as scikit-learn has it
(Manning et al. 2008, "Introduction to information retrieval", section 8.4).
Shapes: see `cxr.metrics`; S stretches, ascending, M of them with present images.
"""

from __future__ import annotations

import numpy as np

from cxr.metrics import auroc
from cxr.metrics.errors import rounded, share


class Ranked:
    """One label's known images, ready to be weighted."""

    def __init__(self, truth_N: np.ndarray, scores_N: np.ndarray) -> None:
        order_K, first_K = auroc.ascending(truth_N, scores_N)
        present_K = truth_N[order_K] == 1
        step_K = np.cumsum(first_K) - 1  # which of the distinct scores
        has = np.bincount(step_K, weights=present_K) > 0  # a present image, by distinct score
        begins = has | np.r_[True, has[:-1]][: len(has)]
        self._order_K = order_K
        self._starts_S = np.flatnonzero(first_K)[begins]
        self._mixed_M = np.flatnonzero(has[begins])
        self._present_P = order_K[present_K]
        steps_P = step_K[present_K]
        self._starts_M = np.flatnonzero(np.r_[True, steps_P[1:] != steps_P[:-1]][: len(steps_P)])

    def areas(self, weights_BN: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return AUROC (B,) and average precision (B,).

        NaN where an image with the label lacks, for AUROC also where one without it does.
        """
        if not len(self._present_P):
            return np.full(len(weights_BN), np.nan), np.full(len(weights_BN), np.nan)
        all_BS = np.add.reduceat(weights_BN[:, self._order_K], self._starts_S, axis=1)
        present_BM = np.add.reduceat(weights_BN[:, self._present_P], self._starts_M, axis=1)
        absent_BS = all_BS.copy()
        absent_BS[:, self._mixed_M] -= present_BM
        absent_BM = absent_BS[:, self._mixed_M]
        below_BM = np.cumsum(absent_BS, axis=1)[:, self._mixed_M] - absent_BM
        # whole numbers and halves: exact whatever the order of the sum
        wins_B = (present_BM * (below_BM + absent_BM / 2)).sum(axis=1)
        found_BM = _from_the_top(present_BM)
        precision_BM = share(found_BM, _from_the_top(all_BS)[:, self._mixed_M])
        gained_BM = rounded(np.nan_to_num(precision_BM * present_BM))
        total_B = present_BM.sum(axis=1)
        return (
            share(wins_B, total_B * absent_BS.sum(axis=1)),
            share(gained_BM.sum(axis=1), total_B),
        )


def _from_the_top(weight_BS: np.ndarray) -> np.ndarray:
    """Return the weight (B, S) at a stretch's score or above."""
    return np.cumsum(weight_BS[:, ::-1], axis=1)[:, ::-1]
