"""How good a model is for women and men, young and old, by view and by source.

A label is judged in a group where FEWEST patients of the group have it and as many do not. Groups
differ in which labels that leaves, so a group's mean AUROC is held against that of all images over
the same labels, on the same resamples; the worst group is the one that loses most. It is picked as
the worst of several, so its figure is too low by chance the more groups there are.

Age bands as in Seyyed-Kalantari et al. 2021, "Underdiagnosis bias of artificial intelligence
algorithms applied to chest radiographs in under-served patient populations", Nature Medicine 27.
Shapes: see `cxr.metrics`; G groups, n images of one group, M of METRICS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxr.metrics import classification, support
from cxr.metrics.ranked import Ranked
from cxr.metrics.scored import Scored

FEWEST = 10
"""Patients with a label, and as many without it, for it to be judged in a group."""
METRICS = ("auroc", "sensitivity", "specificity")
"""The latter two by the model's own decisions."""
BANDS = ("0-19", "20-39", "40-59", "60-79", "80+")
"""Years of age."""
_BOUNDS = (20, 40, 60, 80)
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Group:
    """The images that have one thing in common."""

    attribute: str
    name: str
    rows_n: np.ndarray
    patients: int
    present_L: np.ndarray
    absent_L: np.ndarray
    """patients"""
    judged_L: np.ndarray
    """bool: enough of both"""


def attributes(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return each image's group by attribute, from columns of the manifest."""
    found = {"age": age_bands(table["age_years"].to_numpy(np.float64))}
    for name in ("sex", "source", "view"):
        found[name] = table[name].fillna(UNKNOWN).replace("", UNKNOWN).to_numpy(str)
    return found


def age_bands(years_N: np.ndarray) -> np.ndarray:
    """Return the band of each age."""
    known_N = years_N >= 0  # an age below 0 is as unknown as none
    return np.where(known_N, np.array(BANDS)[np.digitize(years_N, _BOUNDS)], UNKNOWN)


class Subgroups:
    """The groups of each attribute, ready to be weighted."""

    def __init__(self, scored: Scored, attributes: Mapping[str, np.ndarray]) -> None:
        self._scored = scored
        self.groups = [
            _group(scored, attribute, str(name), np.flatnonzero(attributes[attribute] == name))
            for attribute in sorted(attributes)
            for name in np.unique(attributes[attribute])
        ]
        self._ranked = [_ranked(scored, group) for group in self.groups]

    def __call__(self, weights_BN: np.ndarray) -> np.ndarray:
        """Return (B, G, M, L), NaN where a label is not judged."""
        shape = (len(weights_BN), len(self.groups), len(METRICS), self._scored.labels_NL.shape[1])
        found = np.full(shape, np.nan)
        for i, (group, ranked) in enumerate(zip(self.groups, self._ranked, strict=True)):
            weights_Bn = weights_BN[:, group.rows_n]
            for label, one in ranked.items():
                found[:, i, 0, label] = one.areas(weights_Bn)[0]
            labels_nL = self._scored.labels_NL[group.rows_n]
            counts = classification.count(
                labels_nL, self._scored.decided_NL[group.rows_n], weights_Bn
            )
            for j, rate_BL in enumerate((counts.recall, counts.specificity), start=1):
                found[:, i, j] = np.where(group.judged_L, rate_BL, np.nan)
        return found


def _group(scored: Scored, attribute: str, name: str, rows_n: np.ndarray) -> Group:
    labels_nL, patients_n = scored.labels_NL[rows_n], scored.patients_N[rows_n]
    present_L, absent_L = (support.patients(labels_nL, patients_n, value) for value in (1, 0))
    return Group(
        attribute=attribute, name=name, rows_n=rows_n, patients=len(np.unique(patients_n)),
        present_L=present_L, absent_L=absent_L,
        judged_L=(present_L >= FEWEST) & (absent_L >= FEWEST),
    )  # fmt: skip


def _ranked(scored: Scored, group: Group) -> dict[int, Ranked]:
    """Return the sorted images of each judged label, by its place."""
    rows = group.rows_n
    return {
        i: Ranked(scored.labels_NL[rows, i], scored.scores_NL[rows, i])
        for i in np.flatnonzero(group.judged_L).tolist()
    }


def several(groups: list[Group]) -> Iterator[tuple[str, list[int]]]:
    """Yield each attribute with two or more groups in which some label is judged, and their places."""
    for attribute in sorted({group.attribute for group in groups}):
        places = [
            i for i, group in enumerate(groups)
            if group.attribute == attribute and group.judged_L.any()
        ]  # fmt: skip
        if len(places) > 1:
            yield attribute, places
