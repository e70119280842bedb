"""How alike two maps are: rank correlation and structural similarity, as Adebayo et al. (2018) use them.

Both know signs: what speaks for a label and what speaks against it are not alike.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import ndimage

_SIGMA_PX, _MARGIN_PX = 1.5, 5  # of SSIM's window: 11 x 11 pixels
_K1, _K2 = 0.01, 0.03


def rank_correlation(one_Nhw: np.ndarray, other_Nhw: np.ndarray) -> np.ndarray:
    """Return (N,): Spearman's correlation over the places of each pair, -1 to 1; NaN if a map is flat."""
    flat = (maps.reshape(len(maps), -1) for maps in (one_Nhw, other_Nhw))
    ranks = (pd.DataFrame(maps_NP).rank(axis="columns").to_numpy() for maps_NP in flat)
    a_NP, b_NP = (one - one.mean(axis=1, keepdims=True) for one in ranks)
    spread_N = np.sqrt((a_NP * a_NP).sum(axis=1) * (b_NP * b_NP).sum(axis=1))
    both_N = (a_NP * b_NP).sum(axis=1)
    return np.divide(both_N, spread_N, out=np.full(len(both_N), np.nan), where=spread_N > 0)


def ssim(one_NSS: np.ndarray, other_NSS: np.ndarray) -> np.ndarray:
    """Return (N,): the mean structural similarity of each pair, each map scaled to 0..1 by its largest value.

    Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity", IEEE
    Transactions on Image Processing 13, equation 13, with their Gaussian window, K1 and K2, over the
    pixels around which the window fits (all pixels of an image smaller than it). Flat maps count as 0.
    """
    return np.array(
        [_ssim(*pair) for pair in zip(_scaled(one_NSS), _scaled(other_NSS), strict=True)]
    )


def _scaled(maps_NSS: np.ndarray) -> np.ndarray:
    """Return the maps as float64 from 0 to 1, what is 0 in the middle: below 0, SSIM's terms lose signs."""
    maps_NSS = maps_NSS.astype(np.float64)
    largest_N11 = np.abs(maps_NSS).max(axis=(1, 2), keepdims=True)
    signed = np.divide(maps_NSS, largest_N11, out=np.zeros_like(maps_NSS), where=largest_N11 > 0)
    return (signed + 1) / 2


def _ssim(a_SS: np.ndarray, b_SS: np.ndarray) -> float:
    a, b = _local(a_SS), _local(b_SS)
    variance_a, variance_b = _local(a_SS * a_SS) - a * a, _local(b_SS * b_SS) - b * b
    covariance = _local(a_SS * b_SS) - a * b
    c1, c2 = _K1**2, _K2**2
    light = (2 * a * b + c1) / (a * a + b * b + c1)
    structure = (2 * covariance + c2) / (variance_a + variance_b + c2)
    inside = slice(_MARGIN_PX, -_MARGIN_PX) if len(a_SS) > 2 * _MARGIN_PX else slice(None)
    return float((light * structure)[inside, inside].mean())


def _local(values_SS: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter(values_SS, _SIGMA_PX, radius=_MARGIN_PX, mode="reflect")
