"""Before a sweep begins: every fault in one table, and equal keys for stages whose results are equal."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import sweep_plan
from flows.request import Wanted
from flows.sweep_file import Combination
from tests.flows import toy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def one(name: str, **overrides: object) -> Combination:
    wanted = Wanted.model_validate({"study": "toy", "overrides": overrides})
    labels = {key: str(value) for key, value in overrides.items()}
    return Combination(name=name, wanted=wanted, labels=labels)


def plan(root: Path, *chosen: Combination) -> list[sweep_plan.Plan]:
    return sweep_plan.plan(
        chosen, "HEAD", label="sweep.toy.", workers=2, say=lambda line: None, root=root
    )


def test_equal_keys_are_equal_results(repository: Path) -> None:
    left = {"transfer.runs": ["left"]}
    a, b, c, d = plan(
        repository, one("a"), one("b", **left), one("c", seed=8),
        one("d", **{"transfer.recipes.left.epochs": 9}),
    )  # fmt: skip
    assert [stage.name for stage in b.stages] == ["source", "fit@left", "compare"]
    assert "seed: 8" in c.params and "seed: 7" in a.params
    same = [name for name in b.keys if a.keys[name] == b.keys[name]]
    assert same == ["source", "fit@left"]  # compare reads the list of runs
    assert not {*a.keys.values()} & {*c.keys.values()}
    assert d.keys == a.keys  # no stage of the toy reads epochs
    assert toy.git(repository, "status", "--porcelain") == ""
    assert list((repository / ".worktrees").iterdir()) == []


def test_all_faults_come_in_one_table_and_no_worktree_is_left(repository: Path) -> None:
    chosen = [one("a"), one("b", sed=1), one("c", **{"transfer.runs": "left", "no|w": 1})]
    with pytest.raises(ValueError, match="2 combinations can't run, so nothing was begun") as error:
        plan(repository, *chosen)
    lines = str(error.value).splitlines()
    assert lines[1] == "| combination | sets | fault |"
    assert lines[3].startswith("| b | sed: 1 | overrides: sed is unknown: known there are study,")
    assert lines[4].startswith(r"| c | transfer.runs: left, no\|w: 1 | overrides: no\|w is unknown")
    assert list((repository / ".worktrees").iterdir()) == []


def test_nothing_to_check_needs_no_worktree(repository: Path) -> None:
    assert plan(repository) == []
    assert not (repository / ".worktrees").exists()
