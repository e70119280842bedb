"""Rank correlation agrees with scipy, SSIM with torchmetrics; both know signs and flat maps."""

import numpy as np
import pytest
import torch
from scipy import ndimage, stats
from torchmetrics.functional.image import structural_similarity_index_measure

from cxr import seeding
from cxr.explaining import likeness


def pair(side=24, count=3):
    rng = seeding.stream(1, "maps")
    one = ndimage.gaussian_filter(rng.standard_normal((count, side, side)), (0, 3, 3))
    return one, one + 0.4 * ndimage.gaussian_filter(rng.standard_normal(one.shape), (0, 2, 2))


def test_rank_correlation_is_spearmans_with_ties():
    one, other = (np.round(maps, 2) for maps in pair(6))
    found = likeness.rank_correlation(one, other)
    wanted = [
        stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(one, other, strict=True)
    ]
    assert np.allclose(found, wanted, atol=1e-12)
    assert np.allclose(likeness.rank_correlation(one, -one), -1)


def test_a_flat_map_has_no_ranks():
    one, _ = pair(4)
    one[1] = 0.3
    found = likeness.rank_correlation(one, one)
    assert np.isnan(found).tolist() == [False, True, False]


def test_ssim_is_the_published_one():
    one, other = (maps / np.abs(maps).max(axis=(1, 2), keepdims=True) for maps in pair())
    found = likeness.ssim(one, 7 * other)  # each map counts in units of its own largest value
    for i in range(len(one)):
        tensors = (torch.from_numpy((maps[i] + 1) / 2)[None, None] for maps in (one, other))
        _, whole = structural_similarity_index_measure(
            *tensors, sigma=1.5, kernel_size=11, data_range=1.0, return_full_image=True
        )
        inside = whole[..., 5:-5, 5:-5]  # where no border is made up
        assert found[i] == pytest.approx(float(inside.mean()), abs=1e-6)


def test_ssim_of_a_map_with_itself_is_1_and_with_its_opposite_is_below_0():
    one, _ = pair()
    assert np.allclose(likeness.ssim(one, one), 1)
    assert (likeness.ssim(one, -one) < 0).all()
    assert np.isfinite(likeness.ssim(np.zeros((1, 8, 8)), one[:1, :8, :8])).all()
