"""All of a model's results on its test images in one tree of plain numbers, with intervals.

Folds that are test in turn are pooled: each test image is scored once, by the network that never
saw its patient. Pooling compares scores of different networks, so AUROC suffers where one network is
more generous than another; the folds' own values stand beside it. Where all folds have one test part,
an image's score is the mean of their networks', the ensemble's; each network's own values stand
beside it. Shapes: see `cxr.metrics`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from cxr.metrics import calibration, classification, subgroups
from cxr.metrics.headlines import HEADLINES, mean_over, values
from cxr.metrics.measured import Measured, number
from cxr.metrics.quantities import Quantity, own_rule
from cxr.metrics.scored import Scored

ENSEMBLE = -1
"""In the place of a fold: scored by the mean of the networks of all folds."""


def short(result: Mapping[str, Any]) -> dict[str, float | int | None]:
    """Return the headlines of `tree` in three digits, and the costs beside them in `result`: a line's worth."""
    values = {key: result[key]["value"] for key in HEADLINES}
    rounded = {key: value if value is None else round(value, 3) for key, value in values.items()}
    return rounded | {key: result[key] for key in ("parameters", "macs")}


def tree(found: Measured, *, members: Scored | None = None) -> dict[str, Any]:
    """Return the headline metrics and each label's, with bootstrap intervals; None is undefined.

    `members` are the test images once for each network, where `found` is of the mean of the networks.
    """
    scored, own = found.scored, own_rule(found.scored)
    headlines = {
        key: found.quantities[i] for i, key in enumerate(HEADLINES)
    }  # the order of both is one
    aurocs = {name: Quantity(name, "auroc", "") for name in found.names}
    left_out = {key: found.left_out(one) for key, one in {**headlines, **aurocs}.items()}
    return {
        **{key: found.found(one) for key, one in headlines.items()},
        "average_precision": found.found(Quantity("", "average_precision", "")),
        "images": len(scored.labels_NL),
        "patients": len(np.unique(scored.patients_N)),
        "confidence": found.confidence,
        "bootstrap": {
            "samples": len(found.spread_BV),
            "left_out": {key: count for key, count in left_out.items() if count},
        },
        "per_label": {name: _label(found, name, own) for name in found.names},
        **_networks(scored, members),
        "per_source": _groups(scored, scored.sources_N),
        "confusion": _confusion(scored),
        "calibration": _calibration(found),
        "chance": {"accuracy": number(_majority(scored)), "auroc": 0.5},
        "operating_points": {rule: _operating_point(found, rule) for rule in sorted(found.points)},
        "subgroups": _subgroups(found),
    }


def _label(found: Measured, name: str, own: str) -> dict[str, Any]:
    """Return one label's figures; those with intervals for all rates stand in plots/results.csv."""

    def rate(metric: str) -> float | None:
        return found.found(Quantity(name, metric, own))["value"]

    place = found.names.index(name)
    return {
        "support": int((found.scored.labels_NL[:, place] == 1).sum()),
        "precision": rate("precision"),
        "recall": rate("sensitivity"),
        "specificity": rate("specificity"),
        "f1": rate("f1"),
        "auroc": found.found(Quantity(name, "auroc", "")),
        "average_precision": found.found(Quantity(name, "average_precision", "")),
    }


def _operating_point(found: Measured, rule: str) -> dict[str, Any]:
    """Return the labels' mean rates at thresholds chosen on val, and the thresholds by fold."""
    thresholds_LF = found.points[rule].T
    return {
        **{
            metric: found.found(Quantity("", metric, rule))
            for metric in ("sensitivity", "specificity")
        },
        "thresholds": {
            name: [None if np.isnan(x) else float(x) for x in thresholds_F]
            for name, thresholds_F in zip(found.names, thresholds_LF, strict=True)
        },
    }


def _subgroups(found: Measured) -> dict[str, Any]:
    """Return the worst group of each attribute, and what was left out."""
    places = dict(subgroups.several(found.groups))
    worst = {}
    for attribute, chosen in places.items():
        lost = [_own_and_all(found, i) for i in chosen]
        place = min(zip(chosen, lost, strict=True), key=lambda pair: pair[1].lead)[0]
        worst[attribute] = {
            "group": found.groups[place].name, "compared": len(chosen), **group_figures(found, place),
        }  # fmt: skip
    judged = {i for chosen in places.values() for i in chosen}
    left_out = [
        f"{one.attribute} {one.name}: {'no other group' if one.judged_L.any() else 'too few patients'}"
        for i, one in enumerate(found.groups)
        if i not in judged
    ]
    return {"worst": worst, "left_out": left_out, "fewest_patients": subgroups.FEWEST}


class _OwnAndAll(NamedTuple):
    """A group's mean AUROC over its judged labels and its lead over all images', with spreads."""

    auroc: float
    auroc_B: np.ndarray
    lead: float
    lead_B: np.ndarray


def _own_and_all(found: Measured, place: int) -> _OwnAndAll:
    judged_L = found.groups[place].judged_L
    columns = [found.quantities.index(Quantity(name, "auroc", "")) for name in found.names]
    own = float(mean_over(found.group_GML[[place], 0], judged_L)[0])
    own_B = mean_over(found.group_BGML[:, place, 0], judged_L)
    every = float(mean_over(found.point_V[None, columns], judged_L)[0])
    every_B = mean_over(found.spread_BV[:, columns], judged_L)
    return _OwnAndAll(own, own_B, own - every, own_B - every_B)


def group_figures(found: Measured, place: int) -> dict[str, dict[str, float | None]]:
    """Return a group's mean AUROC over its judged labels, and its difference to all images'."""
    one = _own_and_all(found, place)
    return {
        "auroc": found.interval(one.auroc, one.auroc_B),
        "to_all": found.interval(one.lead, one.lead_B),
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
        numbers = dict(zip(HEADLINES, map(number, headlines), strict=True))
        groups[str(group)] = {"images": int(chosen_N.sum()), **numbers}
    return groups


def _confusion(scored: Scored) -> list[Any]:
    """Return a (C, C) table of classes, or for labels that combine one of (2, 2) each; rows are the truth."""
    if not scored.exclusive:
        counts = classification.count(scored.labels_NL, scored.decided_NL)
        return classification.two_by_two(counts).tolist()
    truth_N = classification.class_of(scored.labels_NL)
    decided_N = scored.decided_NL.argmax(axis=1)
    classes = scored.labels_NL.shape[1]
    return classification.confusion(truth_N, decided_N, classes=classes).tolist()


def _calibration(found: Measured) -> dict[str, Any]:
    scored = found.scored
    claims = calibration.claims(scored.labels_NL, scored.scores_NL, exclusive=scored.exclusive)
    brier = calibration.brier(scored.labels_NL, scored.scores_NL, exclusive=scored.exclusive)
    bounds = {
        f"{metric}_{end}": found.found(Quantity("", metric, ""))[end]
        for metric in ("brier", "ece")
        for end in ("low", "high")
    }
    return {
        "ece": number(calibration.reliability(*claims).ece),
        "bins": calibration.BINS,
        "brier": number(brier),
        **bounds,
    }


def _majority(scored: Scored) -> float:
    """Return the accuracy of always deciding for what is most frequent."""
    present_L, absent_L = (scored.labels_NL == 1).sum(axis=0), (scored.labels_NL == 0).sum(axis=0)
    if scored.exclusive:
        return float(present_L.max() / len(scored.labels_NL))
    known_L = present_L + absent_L
    return float((np.maximum(present_L, absent_L) / known_L)[known_L > 0].mean())
