"""The control classifier: how well can the labels be told from what should not carry them?

It sees the border of the image (the outermost pixels of its thumbnail) and statistics of the file
(size, format, bytes), never the chest. What it reaches, a network may reach without looking at a
lung: its AUROC stands beside the models'. On COVID-19 sets such shortcuts were nearly enough
(DeGrave et al. 2021, doi:10.1038/s42256-021-00338-7; Maguolo & Nanni 2021, who blacked the lungs
out, doi:10.1016/j.inffus.2021.04.008).

The model is ridge regression on features cut into bins, a coefficient per bin, judged by five-fold
cross-validation in which all images of a patient are in one fold. Its sums are of whole numbers,
hence exact: the order of the rows changes nothing.

Shapes: N images, F features, K bins of all features, L labels, B resamples.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cxr import manifest as manifests
from cxr import seeding

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FOLDS = 5
RESAMPLES = 100
CONFIDENCE = 0.95
LEAST_PATIENTS = 2 * FOLDS
"""A label with fewer patients on one of its sides is left out: its AUROC would be chance."""

_BINS = 16  # of a feature
_PENALTY = 10.0  # as if each bin had held ten more images without any lean
_RING_PX = 2  # of a thumbnail's 32
_CORNER_PX = 4
_ROWS_AT_ONCE = 8192  # 10 MB of a float32 table of bins
_RESAMPLES_AT_ONCE = 50


def measure(manifest: pd.DataFrame, thumbnails: np.ndarray, *, seed: int) -> dict[str, Any]:
    """Return what the control reaches, ready for JSON.

    `auroc` is the mean over the labels with its interval, `borders` and `files` are the means with
    one kind of feature alone, `labels` holds each label's AUROC; None where it is undefined.
    `thumbnails` is uint8 (N, 32, 32), aligned with the manifest's rows.
    """
    seen = ((manifest["fault"] == "") & (manifest["kind"] == "image")).to_numpy()
    rows, small = manifest[seen], thumbnails[seen]
    patient_of_N, patients = pd.factorize(rows["patient"], sort=True)
    truth_NL, names = _usable(rows)
    parts = {"borders": binned(borders(small)), "files": binned(file_statistics(rows))}
    both = np.concatenate(list(parts.values()), axis=1)
    folds_N = folds(patient_of_N, len(patients), seed=seed)
    found = {
        kind: scores(bins, truth_NL, folds_N) for kind, bins in {**parts, "both": both}.items()
    }
    once = np.ones((len(patients), 1))
    values = {kind: auroc(found[kind], truth_NL, patient_of_N, once)[0] for kind in found}
    samples_BL = auroc(found["both"], truth_NL, patient_of_N, _resamples(len(patients), seed=seed))
    means_B = samples_BL.mean(axis=1) if names else np.zeros(0)
    return {
        "images": len(rows),
        "patients": len(patients),
        "folds": FOLDS,
        "resamples": RESAMPLES,
        "confidence": CONFIDENCE,
        "auroc": _interval(_mean(values["both"]), means_B),
        **{kind: _plain(_mean(values[kind])) for kind in parts},
        "labels": {
            name: {
                "images": int((~np.isnan(truth_NL[:, i])).sum()),
                "present": int((truth_NL[:, i] == 1).sum()),
                **_interval(values["both"][i], samples_BL[:, i]),
            }
            for i, name in enumerate(names)
        },
    }


def borders(thumbnails: np.ndarray) -> np.ndarray:
    """Return (N, 12): mean and spread of the four border strips, mean of the four corners."""
    small, r, c = thumbnails, _RING_PX, _CORNER_PX
    sides = (small[:, :r], small[:, -r:], small[:, :, :r], small[:, :, -r:])
    corners = (small[:, :c, :c], small[:, :c, -c:], small[:, -c:, :c], small[:, -c:, -c:])
    columns = [side.mean(axis=(1, 2)) for side in (*sides, *corners)]
    return np.stack([*columns, *(side.std(axis=(1, 2)) for side in sides)], axis=1)


def file_statistics(manifest: pd.DataFrame) -> np.ndarray:
    """Return (N, 8): width, height, their ratio, bytes, bytes per pixel, channels, bits, format."""
    width, height, size = (
        manifest[name].to_numpy(dtype=np.float64)
        for name in ("width_px", "height_px", "file_bytes")
    )
    formats = np.unique(manifest["file_format"].to_numpy(dtype=str), return_inverse=True)[1]
    depth = [manifest[name].to_numpy(dtype=np.float64) for name in ("channels", "bit_depth")]
    ratios = (width / height, size, size / (width * height))
    return np.stack([width, height, *ratios, *depth, formats.astype(np.float64)], axis=1)


def binned(features_NF: np.ndarray) -> np.ndarray:
    """Return int (N, F): each feature's bin, of about equally many images; equal values share one."""
    shares = np.linspace(0, 1, _BINS + 1)[1:-1]
    bins = np.zeros(features_NF.shape, dtype=np.int64)
    for i, column in enumerate(features_NF.T):
        edges = np.unique(column)
        if len(edges) > _BINS:
            edges = np.unique(np.quantile(column, shares, method="higher"))
        bins[:, i] = np.searchsorted(edges, column, side="right")
    return bins


def folds(patient_of_N: np.ndarray, patients: int, *, seed: int) -> np.ndarray:
    """Return each image's fold (N,): patients are dealt out by chance."""
    order = seeding.stream(seed, "control", "folds").permutation(patients)
    return (order % FOLDS)[patient_of_N]


def scores(bins_NF: np.ndarray, truth_NL: np.ndarray, folds_N: np.ndarray) -> np.ndarray:
    """Return (N, L): how much each image looks like the label, told by a model of the other folds."""
    offsets = np.concatenate([[0], np.cumsum(bins_NF.max(axis=0, initial=0) + 1)])
    columns_NF = bins_NF + offsets[:-1]
    found = np.zeros(truth_NL.shape)
    known_NL = ~np.isnan(truth_NL)
    alike: dict[bytes, list[int]] = {}
    for i, known in enumerate(known_NL.T):
        alike.setdefault(known.tobytes(), []).append(i)
    for labels in alike.values():
        known = known_NL[:, labels[0]]
        truth = truth_NL[known][:, labels].astype(np.float32)
        weights = _fit(columns_NF[known], truth, folds_N[known], int(offsets[-1]))
        for fold, weights_KL in enumerate(weights):
            rows = np.flatnonzero(folds_N == fold)
            sums = np.zeros((len(rows), len(labels)))
            # features one after another, as a product of matrices would round by its blocks
            for columns in columns_NF[rows].T:
                sums += weights_KL[columns]
            found[rows[:, None], labels] = sums
    return found.round(6)


def _fit(
    columns_NF: np.ndarray, truth_NL: np.ndarray, folds_N: np.ndarray, width: int
) -> Iterator[np.ndarray]:
    """Yield per fold the weights (K, L) of ridge regression on the images of the other folds."""
    pairs = np.zeros((FOLDS, width, width))
    sums = np.zeros((FOLDS, width, truth_NL.shape[1]))
    for fold in range(FOLDS):
        rows = np.flatnonzero(folds_N == fold)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            piece = rows[start : start + _ROWS_AT_ONCE]
            ones = np.zeros((len(piece), width), dtype=np.float32)
            np.put_along_axis(ones, columns_NF[piece], 1, axis=1)
            pairs[fold] += ones.T @ ones  # whole numbers below 2**24: exact in float32
            sums[fold] += ones.T @ truth_NL[piece]
    images, present = np.bincount(folds_N, minlength=FOLDS), _by_fold(truth_NL, folds_N)
    for fold in range(FOLDS):
        n = max(1, int(images.sum() - images[fold]))
        pairs_KK, sums_KL = pairs.sum(axis=0) - pairs[fold], sums.sum(axis=0) - sums[fold]
        share_K, share_L = np.diag(pairs_KK) / n, (present.sum(axis=0) - present[fold]) / n
        # centred, so that no score holds the label's share, which would tell the fold
        spread = pairs_KK - n * np.outer(share_K, share_K) + _PENALTY * np.eye(width)
        weights = np.linalg.solve(spread, sums_KL - n * np.outer(share_K, share_L))
        features = columns_NF.shape[1]
        yield weights - (share_K @ weights) / features


def _by_fold(truth_NL: np.ndarray, folds_N: np.ndarray) -> np.ndarray:
    """Count each label's present images of each fold, (folds, L)."""
    return np.stack([truth_NL[folds_N == fold].sum(axis=0) for fold in range(FOLDS)])


def _usable(rows: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Return the labels (N, L) and names of those that enough patients have, and enough have not."""
    names = []
    for name, column in zip(manifests.labels(rows), manifests.label_columns(rows), strict=True):
        sides = [rows["patient"][rows[column] == side].nunique() for side in (0, 1)]
        if min(sides) >= LEAST_PATIENTS:
            names.append(name)
    columns = [manifests.LABEL_PREFIX + name for name in names]
    return rows[columns].to_numpy(dtype=np.float64), names


def _resamples(patients: int, *, seed: int) -> np.ndarray:
    """Return (patients, B): how often each patient is drawn when as many are drawn with replacement."""
    rng = seeding.stream(seed, "control", "bootstrap")
    drawn = (rng.integers(0, max(1, patients), size=patients) for _ in range(RESAMPLES))
    return np.stack([np.bincount(found, minlength=patients) for found in drawn], axis=1)


def auroc(
    scores_NL: np.ndarray, truth_NL: np.ndarray, patient_of_N: np.ndarray, times_PB: np.ndarray
) -> np.ndarray:
    """Return (B, L): how often a present image outscores an absent one, a tie counting one half.

    Each image counts as often as its patient was drawn. As `cxr.metrics.auroc`, which stands on a
    higher floor; NaN where a side is absent.
    """
    found = np.full((times_PB.shape[1], truth_NL.shape[1]), np.nan)
    for i, (column, truth) in enumerate(zip(scores_NL.T, truth_NL.T, strict=True)):
        present, absent = np.flatnonzero(truth == 1), np.flatnonzero(truth == 0)
        absent = absent[np.argsort(column[absent], kind="stable")]
        if len(present) and len(absent):
            below, upto = (
                np.searchsorted(column[absent], column[present], side=x) for x in ("left", "right")
            )
            cuts = np.unique(np.concatenate([[0], below, upto]))
            cuts = cuts[cuts < len(absent)]
            below, upto = np.searchsorted(cuts, below), np.searchsorted(cuts, upto)
            absent_CP = _counted(patient_of_N[absent], cuts, patients=len(times_PB))
            for start in range(0, len(found), _RESAMPLES_AT_ONCE):
                times = times_PB[:, start : start + _RESAMPLES_AT_ONCE]
                upto_each = np.cumsum(absent_CP @ times, axis=0)
                upto_each = np.concatenate([np.zeros((1, times.shape[1])), upto_each])
                weights = times[patient_of_N[present]]
                wins = weights * (upto_each[below] + upto_each[upto]) / 2
                pairs = weights.sum(axis=0) * upto_each[-1]
                value = np.where(pairs > 0, wins.sum(axis=0) / np.maximum(pairs, 1), np.nan)
                found[start : start + _RESAMPLES_AT_ONCE, i] = value
    return found


def _counted(patient_of_A: np.ndarray, cuts: np.ndarray, *, patients: int) -> csr_array:
    """Return (cuts, patients): how many images of a patient stand between a cut and the next."""
    from scipy.sparse import csr_array

    ends = np.append(cuts, len(patient_of_A))
    shape = (len(cuts), patients)
    return csr_array((np.ones(len(patient_of_A)), patient_of_A, ends), shape=shape)


def _mean(values_L: np.ndarray) -> float:
    """Return the mean over the labels, NaN if there is none."""
    return float(values_L.mean()) if len(values_L) else float("nan")


def _interval(value: float, samples: np.ndarray) -> dict[str, float | None]:
    """Return a value with its central interval."""
    usable = samples[~np.isnan(samples)]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(usable, [tail, 1 - tail]) if len(usable) else (np.nan, np.nan)
    return {"value": _plain(value), "low": _plain(low), "high": _plain(high)}


def _plain(value: float) -> float | None:
    """Return a number with six decimals, None for one that is undefined."""
    return None if np.isnan(value) else round(float(value), 6)
