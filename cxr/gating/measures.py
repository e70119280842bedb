"""What both models reach on the acceptance set, and in every resample of its patients.

A class counts where enough patients have it, and for AUROC enough have it not, so the macro AUROC is
the mean over the classes that are judged, which may be fewer than in the model's own report. Within a
source the same holds for the patients of that source. Both models meet the same resamples, so
differences are paired. Sums are of whole numbers, or of multiples of 2^-30, hence exact in any order.
Shapes: see `cxr.gating`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cxr.gating.acceptance import Accepted, Side
from cxr.metrics import auroc, classification, intervals
from cxr.metrics.errors import Errors
from cxr.metrics.support import patients

Measure = Literal["auroc", "sensitivity", "ece", "brier"]
Over = Literal["all", "class", "source"]


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One number that is measured of both models."""

    measure: Measure
    over: Over
    name: str
    """of the class or source; empty for all images"""
    lacking: str
    """why it is not judged, in words; empty: it is"""

    @property
    def words(self) -> str:
        """Name it as a table does."""
        if self.measure in ("ece", "brier"):
            return {"ece": "ECE", "brier": "Brier score"}[self.measure]
        kind = {"auroc": "AUROC", "sensitivity": "sensitivity"}[self.measure]
        if self.over == "class":
            return f"{kind}, class {self.name}"
        mean = {"auroc": "macro AUROC", "sensitivity": "mean sensitivity"}[self.measure]
        return mean if self.over == "all" else f"{mean}, source {self.name}"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The quantities of both models; the champion's are None where there is none."""

    quantities: list[Quantity]
    challenger_V: np.ndarray
    challenger_BV: np.ndarray
    champion_V: np.ndarray | None
    champion_BV: np.ndarray | None


@dataclass(frozen=True, kw_only=True)
class _Part:
    """All images, or those of a source, and which of the labels count in it."""

    name: str
    rows_n: np.ndarray
    ranked_L: np.ndarray
    """bool: enough patients with it and without it, for AUROC"""
    found_L: np.ndarray
    """bool: enough patients with it, for sensitivity"""
    present_L: np.ndarray
    absent_L: np.ndarray
    """patients"""


def measure(
    accepted: Accepted, challenger: Side, champion: Side | None,
    *, min_patients: int, samples: int, rng: np.random.Generator,
) -> Measured:  # fmt: skip
    """Measure both models on the images and on `samples` resamples of their patients."""
    parts = [*_parts(accepted, min_patients)]
    sides = [side for side in (challenger, champion) if side]
    errors = [
        Errors(accepted.labels_NL, side.scores_NL, exclusive=accepted.exclusive) for side in sides
    ]

    def statistic(weights_BN: np.ndarray) -> np.ndarray:
        pairs = zip(sides, errors, strict=True)
        return np.concatenate([_values(accepted, *pair, parts, weights_BN) for pair in pairs], 1)

    point_W = statistic(np.ones((1, len(accepted.images))))[0]
    spread_BW = intervals.bootstrap(statistic, accepted.patients_N, samples=samples, rng=rng)
    quantities = [*_quantities(accepted.names, parts, min_patients)]
    count = len(quantities)
    return Measured(
        quantities=quantities,
        challenger_V=point_W[:count],
        challenger_BV=spread_BW[:, :count],
        champion_V=point_W[count:] if champion else None,
        champion_BV=spread_BW[:, count:] if champion else None,
    )


def _parts(accepted: Accepted, min_patients: int) -> Iterator[_Part]:
    """Yield all images, then each source."""
    every_N = np.ones(len(accepted.images), dtype=bool)
    chosen = {source: accepted.sources_N == source for source in np.unique(accepted.sources_N)}
    for name, chosen_N in {"": every_N, **chosen}.items():
        rows_n = np.flatnonzero(chosen_N)
        labels_nL, patients_n = accepted.labels_NL[rows_n], accepted.patients_N[rows_n]
        present_L, absent_L = (patients(labels_nL, patients_n, value) for value in (1, 0))
        found_L = present_L >= min_patients
        yield _Part(
            name=str(name), rows_n=rows_n, ranked_L=found_L & (absent_L >= min_patients),
            found_L=found_L, present_L=present_L, absent_L=absent_L,
        )  # fmt: skip


def _quantities(names: Sequence[str], parts: Sequence[_Part], least: int) -> Iterator[Quantity]:
    """Yield what is measured, in the order of `_values`."""
    whole, *sources = parts
    none = f"no class has {least} patients"
    lacking = "" if whole.ranked_L.any() else f"{none} with it and {least} without it"
    yield Quantity(measure="auroc", over="all", name="", lacking=lacking)
    for i, name in enumerate(names):
        have, have_not = int(whole.present_L[i]), int(whole.absent_L[i])
        words = f"{have} patient(s) with it and {have_not} without it, {least} of each are needed"
        lacking = "" if whole.ranked_L[i] else words
        yield Quantity(measure="auroc", over="class", name=name, lacking=lacking)
    for i, name in enumerate(names):
        words = f"{whole.present_L[i]} patient(s) with it, {least} are needed"
        lacking = "" if whole.found_L[i] else words
        yield Quantity(measure="sensitivity", over="class", name=name, lacking=lacking)
    for part in sources:
        lacking = "" if part.ranked_L.any() else f"{none} with it and {least} without it there"
        yield Quantity(measure="auroc", over="source", name=part.name, lacking=lacking)
        lacking = "" if part.found_L.any() else f"{none} with it there"
        yield Quantity(measure="sensitivity", over="source", name=part.name, lacking=lacking)
    yield Quantity(measure="ece", over="all", name="", lacking="")
    yield Quantity(measure="brier", over="all", name="", lacking="")


def _values(
    accepted: Accepted, side: Side, errors: Errors, parts: Sequence[_Part], weights_BN: np.ndarray
) -> np.ndarray:
    """Return (B, V): one model's quantities in each resample; NaN for what is not judged."""
    whole, *sources = parts
    ranked_BL, found_BL = _per_label(accepted, side, whole, weights_BN)
    columns = [_mean(ranked_BL, whole.ranked_L), ranked_BL, found_BL]
    for part in sources:
        if len(part.rows_n) < len(whole.rows_n):  # a single source is all images
            ranked_BL, found_BL = _per_label(accepted, side, part, weights_BN)
        columns += [_mean(ranked_BL, part.ranked_L), _mean(found_BL, part.found_L)]
    return np.concatenate([*columns, errors.ece(weights_BN), errors.brier(weights_BN)], axis=1)


def _per_label(
    accepted: Accepted, side: Side, part: _Part, weights_BN: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return AUROC and sensitivity, both (B, L), on the images of a part; NaN where too few."""
    labels_nL, scores_nL = accepted.labels_NL[part.rows_n], side.scores_NL[part.rows_n]
    weights_Bn = weights_BN[:, part.rows_n]
    ranked_BL = np.full((len(weights_BN), labels_nL.shape[1]), np.nan)
    if part.ranked_L.any():
        chosen = labels_nL[:, part.ranked_L], scores_nL[:, part.ranked_L]
        ranked_BL[:, part.ranked_L] = auroc.per_label(*chosen, weights_Bn)
    counts = classification.count(labels_nL, side.decided_NL[part.rows_n], weights_Bn)
    return ranked_BL, np.where(part.found_L, counts.recall, np.nan)


def _mean(values_BL: np.ndarray, chosen_L: np.ndarray) -> np.ndarray:
    """Return the mean (B, 1) over the chosen labels; NaN where there is none, or one is undefined."""
    if not chosen_L.any():
        return np.full((len(values_BL), 1), np.nan)
    return values_BL[:, chosen_L].mean(axis=1, keepdims=True)
