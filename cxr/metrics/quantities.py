"""Everything that is measured of one model, label by label, as one vector under resamples.

A label's decisions are judged one against the rest. They are made by the model's own rule (the
highest score of an image, or thresholds of highest F1 on val) and at each operating point
(`cxr.metrics.thresholds`). A label without support has no rates; means are over those that have some.
Shapes: see `cxr.metrics`; V quantities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cxr.metrics import classification
from cxr.metrics.errors import Errors
from cxr.metrics.headlines import HEADLINES, Headlines, mean_over
from cxr.metrics.scored import Scored

RATES = ("accuracy", "balanced_accuracy", "f1", "precision", "sensitivity", "specificity")
"""Of decisions on one label."""


class Quantity(NamedTuple):
    """One number that is measured."""

    label: str
    """empty: of all labels together"""
    metric: str
    decision: str
    """by which the label is present: own_rule, or an operating point; empty: it needs none"""


class _Decision(NamedTuple):
    name: str
    decided_NL: np.ndarray
    judged_L: np.ndarray
    """bool: the label has a threshold and is present on some image"""


def own_rule(scored: Scored) -> str:
    """Name the rule by which the model itself decides."""
    return "highest_score" if scored.exclusive else "best_f1"


class Quantities:
    """What is measured of `scored`: `named` says what each of the values of a call is."""

    def __init__(
        self, scored: Scored, names: Sequence[str], points: Mapping[str, np.ndarray]
    ) -> None:
        """`points` holds thresholds (folds, L) by rule, NaN where none could be chosen."""
        self._scored, self._headlines = scored, Headlines(scored)
        self._errors = Errors(scored.labels_NL, scored.scores_NL, exclusive=scored.exclusive)
        self._decisions = [*_decisions(scored, points)]
        self.named = [*self._named(names)]

    def _named(self, names: Sequence[str]) -> Iterator[Quantity]:
        own, every = own_rule(self._scored), ["", *names]
        for metric in HEADLINES[:-1]:
            yield Quantity("", metric, own)
        for metric in ("auroc", "average_precision"):
            yield from (Quantity(label, metric, "") for label in every)
        yield from (Quantity(label, "brier", "") for label in every)
        yield Quantity("", "ece", "")
        for decision in self._decisions:
            # the model's own accuracies and F1 of all labels are among the headlines
            means = RATES[3:] if decision.name == own else RATES
            for metric in RATES:
                shown = every if metric in means else names
                yield from (Quantity(label, metric, decision.name) for label in shown)

    def __call__(self, weights_BN: np.ndarray) -> np.ndarray:
        """Return (B, V), NaN where a value is undefined."""
        auroc_BL, precision_BL = self._headlines.areas(weights_BN)
        precision_B = mean_over(precision_BL, self._headlines.usable_L)
        columns = [
            self._headlines.join(weights_BN, auroc_BL), precision_B[:, None], precision_BL,
            self._errors.brier(weights_BN), self._errors.brier_per_label(weights_BN),
            self._errors.ece(weights_BN),
        ]  # fmt: skip
        for decision in self._decisions:
            columns += self._rates(decision, weights_BN)
        return np.concatenate(columns, axis=1)

    def _rates(self, decision: _Decision, weights_BN: np.ndarray) -> Iterator[np.ndarray]:
        """Yield each of RATES, (B, L), before it their mean (B, 1) unless it is a headline."""
        counts = classification.count(self._scored.labels_NL, decision.decided_NL, weights_BN)
        rates = (
            counts.accuracy, (counts.recall + counts.specificity) / 2, counts.f1,
            counts.precision, counts.recall, counts.specificity,
        )  # fmt: skip
        own = decision.name == own_rule(self._scored)
        for metric, rate_BL in zip(RATES, rates, strict=True):
            judged_BL = np.where(decision.judged_L, rate_BL, np.nan)
            if not own or metric in RATES[3:]:
                yield mean_over(judged_BL, decision.judged_L)[:, None]
            yield judged_BL


def _decisions(scored: Scored, points: Mapping[str, np.ndarray]) -> Iterator[_Decision]:
    supported_L = (scored.labels_NL == 1).any(axis=0)
    yield _Decision(own_rule(scored), scored.decided_NL, supported_L)
    for rule in sorted(points):
        thresholds_FL = points[rule]
        decided_NL = scored.scores_NL >= thresholds_FL[scored.folds_N]  # -1: the last row
        chosen_L = ~np.isnan(thresholds_FL).any(axis=0)
        yield _Decision(rule, decided_NL, supported_L & chosen_L)
