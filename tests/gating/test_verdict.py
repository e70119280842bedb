"""Verdict: one word from all rules, every reason in one table, and what a reader must know besides."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cxr import artifacts
from cxr.gating import rules, verdict
from tests.gating import cases, test_rules


def rule(passed: Any, *, name: str = "macro AUROC: floor", words: str = "so it is") -> rules.Rule:
    none = passed == "not judged"
    return rules.Rule(
        rule=name, kind="floor", quantity=None, value=None if none else 0.9,
        low=None if none else 0.85, high=None if none else 0.95, bound=0.8, passed=passed, words=words,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("passed", "word"),
    [
        (["yes", "yes", "not judged"], "promote"),
        (["yes", "undecided"], "undecided"),
        (["undecided", "no", "yes"], "reject"),
    ],
)
def test_one_broken_rule_rejects_and_one_open_one_leaves_it_undecided(
    passed: list[str], word: str
) -> None:
    assert verdict.conclude([rule(one) for one in passed]) == word


def test_rules_of_which_none_was_judged_give_no_verdict() -> None:
    with pytest.raises(ValueError, match="no rule was judged"):
        verdict.conclude([rule("not judged")])


def test_all_reasons_are_told_broken_ones_first() -> None:
    found = [rule(x, name=f"rule {i}") for i, x in enumerate(["yes", "undecided", "no", "no"])]
    assert [words.partition(":")[0] for words in verdict.reasons(found)] == [
        "rule 2", "rule 3", "rule 1",
    ]  # fmt: skip


def test_a_second_look_is_warned_of_with_what_it_costs() -> None:
    def told(openings: int, champion: str | None = "v3") -> list[str]:
        return verdict.warnings(
            [rule("yes")], champion=champion, openings=openings, confidence=0.95
        )

    assert told(1) == []
    (words,) = told(3)
    assert "was opened 3 times, this time included" in words
    assert "chance of up to 7.5% in 3 looks, not 2.5%" in words
    assert "up to 100.0% in 50 looks" in told(50)[0]
    assert told(1, None) == [
        "there is no champion: the challenger is held against absolute limits alone"
    ]


def test_what_was_not_judged_is_warned_of_by_name() -> None:
    judged = [rule("yes"), rule("not judged", name="AUROC, class rare: margin")]
    (words,) = verdict.warnings(judged, champion="v1", openings=1, confidence=0.95)
    assert words == "1 rule(s) not judged for want of patients: AUROC, class rare: margin"


def test_the_tree_is_json_and_holds_every_rule() -> None:
    accepted, challenger, champion = test_rules.case()
    judged = cases.judge(
        accepted, challenger, champion, asked=cases.limits(**test_rules.EVERYTHING)
    )
    tree = verdict.tree(
        judged, accepted, challenger="net", champion="v3", openings=2, samples=100, confidence=0.95
    )
    assert json.loads(artifacts.canonical_json(tree)) == tree
    assert list(tree["rules"]) == [one.rule for one in judged]
    assert tree["promote"] is (tree["verdict"] == "promote")
    assert tree["acceptance"]["patients_by_label"] == {
        name: int((accepted.labels_NL[:, i] == 1).sum()) for i, name in enumerate("ab")
    }
    assert tree["interval"]["one_sided_error"] == 0.025
    table = verdict.table(judged)
    assert tuple(table.columns) == verdict.COLUMNS and len(table) == len(judged)
    text = verdict.lines(tree)
    assert len(text) == len(judged) + len(tree["warnings"])
    assert all(one.rule in line for one, line in zip(judged, text, strict=False))
    assert text[-1].startswith("warning: the acceptance set was opened 2 times")


def test_the_sentence_names_the_verdict_and_the_reasons() -> None:
    judged = [rule("yes"), rule("no", name="ECE: margin", words="shown to be bad")]
    tree = {
        "verdict": "reject", "challenger": "net", "champion": None,
        "reasons": verdict.reasons(judged),
        "rules": {one.rule: {"passed": one.passed} for one in judged},
    }  # fmt: skip
    assert verdict.sentence(tree) == (
        "REJECT net against absolute limits alone: rules 1 hold, 1 broken; ECE: margin: shown to be bad"
    )
