"""Near pairs: exactly those above the limit, whatever is skipped on the way; copies; real sets."""

from __future__ import annotations

import io
import os
import tracemalloc
import zipfile
from collections import Counter
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cxr import duplicates, seeding


def chest_like(n: int, *, seed: int = 0, noise: float = 3.0) -> np.ndarray:
    """Return uint8 (n, 32, 32): smooth pictures, each the blend of two of eight, with noise."""
    rng = seeding.stream(seed, "chest like")
    coarse = rng.uniform(0, 255, (8, 5, 5)).astype(np.uint8)
    smooth = np.stack([cv2.resize(x, (32, 32), interpolation=cv2.INTER_LINEAR) for x in coarse])
    share = rng.random((n, 1, 1))
    mixed = share * smooth[rng.integers(0, 8, n)] + (1 - share) * smooth[rng.integers(0, 8, n)]
    return np.clip(mixed + rng.normal(0, noise, mixed.shape), 0, 255).astype(np.uint8)


def every_pair(thumbnails: np.ndarray, limit: float) -> list[tuple[int, int]]:
    """Return the pairs above the limit, each decided in Python's whole numbers."""
    rows = [[int(x) for x in row.ravel()] for row in thumbnails]
    n, square = thumbnails[0].size, Fraction(str(limit)) ** 2
    variance = [n * sum(x * x for x in row) - sum(row) ** 2 for row in rows]
    found = []
    for i, a in enumerate(rows):
        for j in range(i + 1, len(rows)):
            dot = sum(x * y for x, y in zip(a, rows[j], strict=True))
            covariance = n * dot - sum(a) * sum(rows[j])
            if covariance > 0 and covariance**2 > square * variance[i] * variance[j]:
                found.append((i, j))
    return found


def pairs(near: duplicates.Near) -> list[tuple[int, int]]:
    return list(zip(near.first_P.tolist(), near.second_P.tolist(), strict=True))


@pytest.mark.parametrize("limit", [0.9, 0.99, 0.998])
def test_the_pairs_are_those_of_whole_numbers(limit):
    thumbnails = chest_like(140, noise=2.0)
    near = duplicates.near_pairs(thumbnails, correlation=limit)
    assert pairs(near) == every_pair(thumbnails, limit)
    assert len(near.first_P) > 5 and near.total == len(near.first_P)
    flat = thumbnails.reshape(140, -1).astype(np.float64)
    expected = np.corrcoef(flat)[near.first_P, near.second_P]
    np.testing.assert_allclose(near.correlation_P, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("noise", [3.0, 40.0, 1e5])
def test_nothing_is_lost_among_thousands(noise):
    """Many tiles, axes from a part of the rows, rows in the order of one coordinate."""
    thumbnails = chest_like(6000, noise=noise)
    rng = seeding.stream(1, "planted")
    planted = rng.permutation(6000)[:400].reshape(200, 2)
    added = rng.normal(0, 2, (200, 32, 32))
    thumbnails[planted[:, 1]] = np.clip(thumbnails[planted[:, 0]] + added, 0, 255)
    flat = thumbnails.reshape(6000, -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    first, second = np.nonzero(np.triu(flat @ flat.T > 0.99, k=1))
    assert len(first) >= 150
    near = duplicates.near_pairs(thumbnails, correlation=0.99)
    assert pairs(near) == list(zip(first.tolist(), second.tolist(), strict=True))


def test_a_correlation_on_the_limit_is_not_above_it():
    """cos of (1, 0) and (0.8, 0.6) in the plane of two patterns without a mean: exactly 0.8."""
    one, other = np.zeros((4, 4), np.int64), np.zeros((4, 4), np.int64)
    one[:, :2], one[:, 2:], other[:2], other[2:] = 1, -1, 1, -1
    pair = np.stack([128 + 50 * one, 128 + 40 * one + 30 * other]).astype(np.uint8)
    assert pairs(duplicates.near_pairs(pair, correlation=0.8)) == []
    assert pairs(duplicates.near_pairs(pair, correlation=0.7999999999)) == [(0, 1)]


def test_brightness_and_contrast_do_not_matter_and_an_inverted_image_is_none():
    image = chest_like(1)[0] // 2
    three = np.stack([image, image + 90, 255 - image])
    assert pairs(duplicates.near_pairs(three, correlation=0.99)) == [(0, 1)]


def test_constant_images_have_no_pairs():
    grey = np.full((3, 32, 32), 7, np.uint8)
    grey[1] = 0
    assert duplicates.near_pairs(grey, correlation=0.99).total == 0


@pytest.mark.parametrize("n", [0, 1])
def test_few_images_have_no_pairs(n):
    near = duplicates.near_pairs(chest_like(n), correlation=0.99)
    assert near.total == 0 and near.first_P.shape == near.correlation_P.shape == (0,)


def test_a_limit_of_one_looks_for_none():
    assert duplicates.near_pairs(chest_like(4)[[0, 0, 1]], correlation=1.0).total == 0


def copies() -> np.ndarray:
    """0, 2 and 5 are equal, 1 and 4 are equal, 3 is near to 0."""
    base = chest_like(3, noise=0.0)
    near = base[0].copy()
    near[3, 4] ^= 7
    return np.stack([base[0], base[1], base[0], near, base[1], base[0]])


def test_copies_pair_each_with_each():
    near = duplicates.near_pairs(copies(), correlation=0.999)
    assert pairs(near) == [(0, 2), (0, 3), (0, 5), (1, 4), (2, 3), (2, 5), (3, 5)]
    assert near.total == 7
    same = near.correlation_P == 1
    assert same.tolist() == [True, False, True, True, False, True, False]


def test_too_many_copies_stand_with_their_first(monkeypatch):
    monkeypatch.setattr(duplicates, "MOST_PAIRS", 6)
    near = duplicates.near_pairs(copies(), correlation=0.999)
    assert pairs(near) == [(0, 2), (0, 3), (0, 5), (1, 4)]
    assert near.total == 7
    assert (near.correlation_P == 1).tolist() == [True, False, True, True]


def test_a_flood_is_refused_with_its_cure(monkeypatch):
    monkeypatch.setattr(duplicates, "MOST_PAIRS", 50)
    with pytest.raises(ValueError, match=r"more than 50 pairs .* raise validate.near_duplicates"):
        duplicates.near_pairs(chest_like(200), correlation=0.5)


@pytest.mark.parametrize("limit", [0.4, 1.01, float("nan")])
def test_a_limit_that_means_nothing_is_refused(limit):
    with pytest.raises(ValueError, match=r"correlation must be 0.5 to 1"):
        duplicates.near_pairs(chest_like(2), correlation=limit)


@pytest.mark.parametrize(
    "thumbnails",
    [np.zeros((2, 32, 32)), np.zeros((2, 64), np.uint8), np.zeros((2, 300, 300), np.uint8)],
)
def test_other_arrays_are_refused(thumbnails):
    with pytest.raises(ValueError, match=r"uint8 \(N, H, W\) of at most 65,536 pixels, not "):
        duplicates.near_pairs(thumbnails, correlation=0.99)


def test_memory_stays_small():
    thumbnails = chest_like(20_000, noise=20.0)
    tracemalloc.start()
    duplicates.near_pairs(thumbnails, correlation=0.995)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6, f"{peak / 1e6:.0f} MB beside the 20 MB of thumbnails"


def real_thumbnails(folder: str) -> tuple[list[str], np.ndarray]:
    """Return the class folders and thumbnails of a real zip; skip loudly without it."""
    path = Path(os.environ.get("CXR_REAL_DATA", "")) / folder / "images.zip"
    if "CXR_REAL_DATA" not in os.environ or not path.is_file():
        pytest.skip(f"NOT TESTED: no real {folder}; CXR_REAL_DATA names the folder that holds it")
    classes, thumbnails = [], []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".jpg"):
                grey = np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("L"))
                classes.append(name.split("/")[-2])
                thumbnails.append(cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA))
    return classes, np.stack(thumbnails)


def test_real_sets_have_the_pairs_that_were_counted_before():
    """343 in COVID-19 Radiography, none across its classes; one in DarkCovidNet; 192 across."""
    ozturk, thumbnails = real_thumbnails("darkcovidnet")
    assert duplicates.near_pairs(thumbnails, correlation=0.99).total == 1
    classes, more = real_thumbnails("covid_radiography")
    near = duplicates.near_pairs(more, correlation=0.99)
    assert near.total == len(near.first_P) == 343
    assert all(classes[i] == classes[j] for i, j in pairs(near))
    both = duplicates.near_pairs(np.concatenate([thumbnails, more]), correlation=0.99)
    n = len(ozturk)
    across = [(i, j - n) for i, j in pairs(both) if i < n <= j]
    assert len(across) == 192
    assert Counter((ozturk[i], classes[j]) for i, j in across) == {
        ("Covid-19", "COVID"): 116, ("Pneumonia", "Normal"): 57, ("No_findings", "Normal"): 19,
    }  # fmt: skip
