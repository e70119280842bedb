"""What follows from the rules: promote, reject or undecided, with all reasons and warnings.

Only *promote* lets the challenger in. *Reject*: at least one rule is shown to be broken.
*Undecided*: none is, but at least one is not shown to hold either; the champion stays, and more
images would tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from cxr.gating import measures
from cxr.gating.acceptance import Accepted
from cxr.gating.rules import Passed, Rule

Verdict = Literal["promote", "reject", "undecided"]
COLUMNS = ("rule", "value", "low", "high", "bound", "passed", "words")
_MARKS: dict[Passed, str] = {"yes": "ok", "no": "NO", "undecided": "??", "not judged": "--"}


def conclude(rules: Sequence[Rule]) -> Verdict:
    """Return what follows from all rules together; raise ValueError if none was judged."""
    passed = [rule.passed for rule in rules]
    if not {"yes", "no", "undecided"} & {*passed}:
        raise ValueError("no rule was judged: a challenger is held against at least one")
    if "no" in passed:
        return "reject"
    return "undecided" if "undecided" in passed else "promote"


def reasons(rules: Sequence[Rule]) -> list[str]:
    """Return why the challenger is not promoted, what is broken first; empty if it is."""
    return [
        f"{rule.rule}: {rule.words}"
        for kind in ("no", "undecided")
        for rule in rules
        if rule.passed == kind
    ]


def warnings(
    rules: Sequence[Rule], *, champion: str | None, openings: int, confidence: float
) -> list[str]:
    """Return what a reader of the verdict must know besides."""
    found = []
    if openings > 1:
        alpha = (1 - confidence) / 2
        found.append(
            f"the acceptance set was opened {openings} times, this time included: each look is one more "
            f"chance, so a challenger that breaks a rule gets through with a chance of up to "
            f"{min(1.0, openings * alpha):.1%} in {openings} looks, not {alpha:.1%}; freeze a new list"
        )
    if champion is None:
        found.append("there is no champion: the challenger is held against absolute limits alone")
    if silent := [rule.rule for rule in rules if rule.passed == "not judged"]:
        found.append(f"{len(silent)} rule(s) not judged for want of patients: {'; '.join(silent)}")
    return found


def tree(
    rules: Sequence[Rule], accepted: Accepted,
    *, challenger: str, champion: str | None, openings: int, samples: int, confidence: float,
) -> dict[str, Any]:  # fmt: skip
    """Return the verdict as plain numbers and words; `promote` alone decides what is done."""
    verdict = conclude(rules)
    present_L = measures.patients(accepted.labels_NL, accepted.patients_N, 1)
    return {
        "verdict": verdict,
        "promote": verdict == "promote",
        "challenger": challenger,
        "champion": champion,
        "reasons": reasons(rules),
        "warnings": warnings(rules, champion=champion, openings=openings, confidence=confidence),
        "acceptance": {
            "images": len(accepted.images),
            "patients": len(np.unique(accepted.patients_N)),
            "patients_by_label": dict(zip(accepted.names, present_L.tolist(), strict=True)),
            "sources": np.unique(accepted.sources_N).tolist(),
            "openings": openings,
        },
        "interval": {
            "method": "percentile bootstrap over patients, paired",
            "samples": samples,
            "confidence": confidence,
            "one_sided_error": round((1 - confidence) / 2, 6),
        },
        "rules": {rule.rule: _numbers(rule) for rule in rules},
    }


def _numbers(rule: Rule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in COLUMNS[1:]}


def table(rules: Sequence[Rule]) -> pd.DataFrame:
    """Return a row per rule, in their order; empty cells where there is no number."""
    rows = pd.DataFrame([[getattr(rule, name) for name in COLUMNS] for rule in rules])
    rows.columns = pd.Index(COLUMNS)
    return rows.astype(dict.fromkeys(("value", "low", "high", "bound"), float))


def lines(verdict: Mapping[str, Any]) -> list[str]:
    """Return the verdict's table for reading in a terminal, a line per rule, then the warnings."""
    width = max(map(len, verdict["rules"]))
    found = [
        f"{_MARKS[rule['passed']]}  {name:<{width}}  {_interval(rule):<24}  {rule['words']}"
        for name, rule in verdict["rules"].items()
    ]
    return [*found, *(f"warning: {words}" for words in verdict["warnings"])]


def _interval(rule: Mapping[str, Any]) -> str:
    if rule["value"] is None:
        return "–"
    if rule["low"] is None:
        return f"{rule['value']:.3f}"
    return f"{rule['value']:.3f} ({rule['low']:.3f} to {rule['high']:.3f})"


def sentence(verdict: Mapping[str, Any]) -> str:
    """Say the verdict in one line."""
    against = f"version {verdict['champion']}" if verdict["champion"] else "absolute limits alone"
    passed = [rule["passed"] for rule in verdict["rules"].values()]
    counts = ", ".join(
        f"{passed.count(kind)} {words}"
        for kind, words in (
            ("yes", "hold"), ("no", "broken"), ("undecided", "undecided"), ("not judged", "not judged"),
        )
        if kind in passed
    )  # fmt: skip
    line = f"{verdict['verdict'].upper()} {verdict['challenger']} against {against}: rules {counts}"
    return "; ".join([line, *verdict["reasons"]])
