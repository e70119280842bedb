"""Bootstrap by patient: how far would a result move with other patients of the same kind?

Patients are drawn with replacement, each with all of his or her images, since images of one
patient resemble each other: drawing single images would make intervals too narrow. The spread
between trainings is not in it; the folds' own values show some of that.

Sources: Efron & Tibshirani 1993, chapter 13 (percentile interval); Field & Welsh 2007,
"Bootstrapping clustered data". Shapes: see `cxr.metrics`; P patients, V values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

_CELLS_AT_ONCE = 2_000_000  # images x resamples in one piece of work: 16 MB of weights


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A percentile interval; NaN bounds if no resample gave a value."""

    low: float
    high: float
    left_out: int
    """Resamples in which the value is undefined (a class was not drawn)."""


def resamples(
    patients_N: np.ndarray, *, samples: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield weights (b, N), `samples` rows in all: how often each image counts in a resample."""
    names_P, patient_of_N = np.unique(patients_N, return_inverse=True)
    patients = len(names_P)
    if not patients or samples < 1:
        raise ValueError(f"expected patients and resamples, not {patients} and {samples}")
    piece = max(1, _CELLS_AT_ONCE // len(patients_N))
    for start in range(0, samples, piece):
        rows = min(piece, samples - start)
        # whole numbers only (no libm, as rng.multinomial would need): the same on any machine
        drawn = rng.integers(0, patients, size=(rows, patients))
        drawn += np.arange(rows)[:, None] * patients
        times = np.bincount(drawn.ravel(), minlength=rows * patients).reshape(rows, patients)
        yield times[:, patient_of_N].astype(np.float64)


def bootstrap(
    statistic: Callable[[np.ndarray], np.ndarray],
    patients_N: np.ndarray,
    *,
    samples: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return `statistic` (weights_BN -> values (B, V)) of each resample, (samples, V)."""
    pieces = resamples(patients_N, samples=samples, rng=rng)
    return np.concatenate([statistic(weights_BN) for weights_BN in pieces])


def percentile(values_B: np.ndarray, *, confidence: float) -> Interval:
    """Return the central interval that holds the share `confidence` of the resamples' values."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    usable = values_B[~np.isnan(values_B)]
    if not len(usable):
        return Interval(low=float("nan"), high=float("nan"), left_out=len(values_B))
    low, high = np.quantile(usable, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(low=float(low), high=float(high), left_out=len(values_B) - len(usable))
