"""All of a model's results on its test images in one tree of plain numbers, with intervals.

Folds that are test in turn are pooled: each test image is scored once, by the network that never
saw its patient. Pooling compares scores of different networks, so AUROC suffers where one network is
more generous than another; the folds' own values stand beside it. Where all folds have one test part,
an image's score is the mean of their networks', the ensemble's; each network's own values stand
beside it. Shapes: see `cxr.metrics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cxr.metrics import auroc, calibration, classification, intervals

ENSEMBLE = -1
"""In the place of a fold: scored by the mean of the networks of all folds."""
HEADLINES = ("accuracy", "balanced_accuracy", "macro_f1", "auroc")
_DECIMALS = 6  # the predictions beside the summary hold every bit


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Test images: what is known of them, what the model said and what was decided."""

    labels_NL: np.ndarray
    scores_NL: np.ndarray
    decided_NL: np.ndarray
    patients_N: np.ndarray
    folds_N: np.ndarray
    sources_N: np.ndarray
    exclusive: bool
    """One label per image (loss cross_entropy) or any number of them (bce, asymmetric)."""

    def part(self, chosen_N: np.ndarray) -> Scored:
        """Return the chosen images."""
        names = ("labels_NL", "scores_NL", "decided_NL", "patients_N", "folds_N", "sources_N")
        arrays = {name: getattr(self, name)[chosen_N] for name in names}
        return Scored(**arrays, exclusive=self.exclusive)


def summarise(
    scored: Scored,
    names: Sequence[str],
    *,
    samples: int,
    confidence: float,
    rng: np.random.Generator,
    members: Scored | None = None,
) -> dict[str, Any]:
    """Return the headline metrics and each label's, with bootstrap intervals; None is undefined.

    `members` are the test images once for each network, where `scored` is the mean of the networks.
    """
    point_V = values(scored)
    spread_BV = intervals.bootstrap(
        lambda weights_BN: values(scored, weights_BN), scored.patients_N, samples=samples, rng=rng
    )
    found = [
        _with_interval(float(value), spread_B, confidence)
        for value, spread_B in zip(point_V, spread_BV.T, strict=True)
    ]
    keys = [*HEADLINES, *names]
    undefined = {
        key: int(np.isnan(spread_B).sum())
        for key, spread_B in zip(keys, spread_BV.T, strict=True)
        if np.isnan(spread_B).any()
    }
    return {
        **dict(zip(HEADLINES, found, strict=False)),
        "images": len(scored.labels_NL),
        "patients": len(np.unique(scored.patients_N)),
        "confidence": confidence,
        "bootstrap": {"samples": samples, "left_out": undefined},
        "per_label": _per_label(scored, names, found[len(HEADLINES) :]),
        **_networks(scored, members),
        "per_source": _groups(scored, scored.sources_N),
        "confusion": _confusion(scored),
        "calibration": _calibration(scored),
        "chance": {"accuracy": _number(_majority(scored)), "auroc": 0.5},
    }


def values(scored: Scored, weights_BN: np.ndarray | None = None) -> np.ndarray:
    """Return (4 + L,), or (B, 4 + L) under weights: the headlines and each label's AUROC."""
    counts = classification.count(scored.labels_NL, scored.decided_NL, weights_BN)
    supported_L = (scored.labels_NL == 1).any(axis=0)
    overall = classification.overall(counts, supported_L=supported_L, exclusive=scored.exclusive)
    label_auroc = auroc.per_label(scored.labels_NL, scored.scores_NL, weights_BN)
    usable = auroc.defined(scored.labels_NL)
    with_macro = label_auroc[..., usable].mean(axis=-1) if usable.any() else overall[0] * np.nan
    return np.concatenate([np.stack([*overall, with_macro], axis=-1), label_auroc], axis=-1)


def _with_interval(value: float, spread_B: np.ndarray, confidence: float) -> dict[str, Any]:
    interval = intervals.percentile(spread_B, confidence=confidence)
    return {
        "value": _number(value),
        "low": _number(interval.low),
        "high": _number(interval.high),
    }


def _per_label(
    scored: Scored, names: Sequence[str], aurocs: list[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    counts = classification.count(scored.labels_NL, scored.decided_NL)
    return {
        name: {
            "support": int(counts.support[i]),
            "precision": _number(counts.precision[i]),
            "recall": _number(counts.recall[i]),
            "f1": _number(counts.f1[i]),
            "auroc": aurocs[i],
        }
        for i, name in enumerate(names)
    }


def _networks(scored: Scored, members: Scored | None) -> dict[str, Any]:
    """Return the values of each fold, or of each network of an ensemble by itself and their number."""
    if members is None:
        return {"per_fold": _groups(scored, scored.folds_N)}
    found = _groups(members, members.folds_N)
    return {"ensemble": len(found), "members": found}


def _groups(scored: Scored, group_N: np.ndarray) -> dict[str, dict[str, Any]]:
    """Return the headline values among the images of each group."""
    groups = {}
    for group in np.unique(group_N):
        chosen_N = group_N == group
        headlines = values(scored.part(chosen_N))[: len(HEADLINES)]
        numbers = dict(zip(HEADLINES, map(_number, headlines), strict=True))
        groups[str(group)] = {"images": int(chosen_N.sum()), **numbers}
    return groups


def _confusion(scored: Scored) -> list[list[int]] | None:
    if not scored.exclusive:
        return None
    truth_N = classification.class_of(scored.labels_NL)
    decided_N = scored.decided_NL.argmax(axis=1)
    classes = scored.labels_NL.shape[1]
    return classification.confusion(truth_N, decided_N, classes=classes).tolist()


def _calibration(scored: Scored) -> dict[str, Any]:
    claims = calibration.claims(scored.labels_NL, scored.scores_NL, exclusive=scored.exclusive)
    brier = calibration.brier(scored.labels_NL, scored.scores_NL, exclusive=scored.exclusive)
    return {
        "ece": _number(calibration.reliability(*claims).ece),
        "bins": calibration.BINS,
        "brier": _number(brier),
    }


def _majority(scored: Scored) -> float:
    """Return the accuracy of always deciding for what is most frequent."""
    present_L, absent_L = (scored.labels_NL == 1).sum(axis=0), (scored.labels_NL == 0).sum(axis=0)
    if scored.exclusive:
        return float(present_L.max() / len(scored.labels_NL))
    known_L = present_L + absent_L
    return float((np.maximum(present_L, absent_L) / known_L)[known_L > 0].mean())


def _number(value: float) -> float | None:
    """Return a rounded float, None for an undefined one (JSON has no NaN)."""
    return None if np.isnan(value) else round(float(value), _DECIMALS)
