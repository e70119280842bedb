"""Every rule that a challenger is held against: its value, the interval, the bound, and whether it holds.

A rule holds (*yes*) where the whole interval lies on the right side of the bound, it is broken (*no*)
where the whole interval lies on the wrong side, and else it is *undecided*: the images on the list
are too few to tell. What has too few patients is *not judged*. Numbers are rounded as they are
printed before they are compared, so that the table proves itself. Costs are known exactly and have no
interval.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cxr.gating.acceptance import COSTS, Side
from cxr.gating.limits import Limits
from cxr.gating.measures import Measured, Quantity
from cxr.metrics import intervals

Passed = Literal["yes", "no", "undecided", "not judged"]
Kind = Literal["better", "margin", "floor", "ceiling", "cost"]
_DECIMALS = 6
_COST_WORDS = {"parameters": "parameters", "macs": "MACs", "onnx_bytes": "ONNX bytes"}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule and what became of it; None: there is no such number."""

    rule: str
    kind: Kind
    quantity: Quantity | None
    """None of a cost"""
    value: float | None
    low: float | None
    high: float | None
    bound: float
    passed: Passed
    words: str


def judge(
    measured: Measured, challenger: Side, champion: Side | None,
    *, limits: Limits, confidence: float,
) -> list[Rule]:  # fmt: skip
    """Return every rule that has a limit, judged; without a champion the absolute ones alone."""
    rules: list[Rule] = []
    for place, quantity in enumerate(measured.quantities):
        absolute, margin = _bounds(limits, quantity)
        whole = quantity.measure == "auroc" and quantity.over == "all"
        if measured.champion_V is not None and measured.champion_BV is not None:
            gained = measured.challenger_V[place] - measured.champion_V[place]
            gained_B = measured.challenger_BV[:, place] - measured.champion_BV[:, place]
            if whole and limits.require_better:
                rules.append(_rule("better", quantity, gained, gained_B, 0.0, confidence))
            if margin is not None:
                bound = margin if _less_is_better(quantity) else -margin
                rules.append(_rule("margin", quantity, gained, gained_B, bound, confidence))
        if absolute is not None:
            kind: Kind = "ceiling" if _less_is_better(quantity) else "floor"
            spread_B = measured.challenger_BV[:, place]
            value = measured.challenger_V[place]
            rules.append(_rule(kind, quantity, value, spread_B, absolute, confidence))
    return [*rules, *(_costs(challenger, champion, limits) if champion else [])]


def compare(low: float, high: float, bound: float, *, kind: Kind) -> Passed:
    """Say on which side of the bound an interval lies; undecided where it has none (NaN)."""
    if kind in ("ceiling", "cost"):
        low, high, bound = -high, -low, -bound
    strictly = kind == "better"  # to be equal is no worse, and no better
    if low > bound or (low == bound and not strictly):
        return "yes"
    if high < bound or (high == bound and strictly):
        return "no"
    return "undecided"


def _less_is_better(quantity: Quantity) -> bool:
    return quantity.measure in ("ece", "brier")


def _bounds(limits: Limits, quantity: Quantity) -> tuple[float | None, float | None]:
    """Return a quantity's absolute limit and its margin to the champion; None: no such rule."""
    if quantity.measure == "ece":
        return limits.calibration.ceiling_ece, limits.calibration.margin_ece
    if quantity.measure == "brier":
        return limits.calibration.ceiling_brier, limits.calibration.margin_brier
    if quantity.over == "all":
        return limits.floor_auroc, limits.margin_auroc
    group = limits.classes if quantity.over == "class" else limits.sources
    if quantity.measure == "auroc":
        return group.floor_auroc, group.margin_auroc
    return group.floor_sensitivity, group.margin_sensitivity


def _rule(
    kind: Kind, quantity: Quantity, value: float, spread_B: np.ndarray, bound: float,
    confidence: float,
) -> Rule:  # fmt: skip
    """Judge one quantity, or its difference to the champion's, by its interval."""
    name = f"{quantity.words}: {kind}"
    bound = _rounded(bound)
    if quantity.lacking:
        needed = quantity.over == "all"  # without it nothing is known of the challenger
        return Rule(
            rule=name, kind=kind, quantity=quantity, value=None, low=None, high=None, bound=bound,
            passed="undecided" if needed else "not judged", words=f"not judged: {quantity.lacking}",
        )  # fmt: skip
    found = intervals.percentile(spread_B, confidence=confidence)
    low, high = _rounded(found.low), _rounded(found.high)
    side: Kind = "ceiling" if _less_is_better(quantity) else kind
    passed = compare(low, high, bound, kind=side)
    words = _words(kind, quantity, bound, passed)
    if found.left_out:
        words += f" ({found.left_out} of {len(spread_B)} resamples lost a class and are left out)"
    return Rule(
        rule=name, kind=kind, quantity=quantity, value=_rounded(value),
        low=None if np.isnan(low) else low, high=None if np.isnan(high) else high, bound=bound,
        passed=passed, words=words,
    )  # fmt: skip


def _words(kind: Kind, quantity: Quantity, bound: float, passed: Passed) -> str:
    """Say what the interval shows."""
    worse, better = ("above", "below") if _less_is_better(quantity) else ("below", "above")
    held, broken = {
        "better": (f"{better} the champion's", f"not {better} the champion's"),
        "margin": (
            f"at most {abs(bound):g} {worse} the champion's",
            f"more than {abs(bound):g} {worse} the champion's",
        ),
        "floor": (f"at least {bound:g}", f"below {bound:g}"),
        "ceiling": (f"at most {bound:g}", f"above {bound:g}"),
    }[kind]
    return {
        "yes": f"shown to be {held}",
        "no": f"shown to be {broken}",
        "undecided": f"neither shown to be {held} nor shown to be {broken}",
    }[passed]


def _costs(challenger: Side, champion: Side, limits: Limits) -> Iterator[Rule]:
    """Hold each cost against the champion's."""
    most = {name: getattr(limits.cost, name) for name in COSTS}
    for name, times in most.items():
        if times is None:
            continue
        ours, theirs = challenger.costs[name], champion.costs[name]
        ratio = _rounded(ours / theirs)
        passed = compare(ratio, ratio, _rounded(times), kind="cost")
        held = "at most" if passed == "yes" else "more than"
        yield Rule(
            rule=f"{_COST_WORDS[name]}: cost", kind="cost", quantity=None, value=ratio, low=None,
            high=None, bound=_rounded(times), passed=passed,
            words=f"{ours:,} against {theirs:,}, {held} {times:g} times the champion's",
        )  # fmt: skip


def _rounded(number: float) -> float:
    return round(float(number), _DECIMALS) + 0.0  # no -0.0
