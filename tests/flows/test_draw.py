"""What could be audited is found in git, and chance favours what was longest not audited."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import draw
from flows.draw import Combination
from tests.flows import toy


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "with a space"
    (root / "studies/plain").mkdir(parents=True)
    (root / "studies/plain/study.yaml").write_text("about: x\n")
    (root / "studies/proved/record").mkdir(parents=True)
    (root / "studies/proved/record/record.json").write_text("{}")
    toy.git(root, "init", "-q", "-b", "main")
    toy.commit(root)
    return root


def test_a_commit_its_records_and_all_versions_could_be_audited(root: Path) -> None:
    first = toy.git(root, "rev-parse", "HEAD").strip()
    toy.git(root, "tag", "-a", "-m", "x", "hospital@v1.0.0")
    toy.git(root, "tag", "-a", "-m", "x", "hospital#prod#1")
    toy.git(root, "tag", "-a", "-m", "x", "paper-2025")
    (root / "new").write_text("")
    second = toy.commit(root)
    (root / "studies/later/record").mkdir(parents=True)
    (root / "studies/later/record/record.json").write_text("{}")  # in nobody's commit
    assert draw.combinations(root=root) == [
        Combination(name="HEAD", revision=second),
        Combination(name="record proved", revision=second, study="proved"),
        Combination(name="hospital@v1.0.0", revision=first),
    ]
    assert draw.combinations(first, root=root)[0] == Combination(name="HEAD", revision=first)


def test_weights_grow_with_the_audits_since_the_last_one():
    assert draw.weights(["a", "b"], []) == {"a": 1, "b": 1}
    assert draw.weights(["a", "b", "c"], ["a", "b", "a", "a"]) == {"a": 1, "b": 3, "c": 5}


def test_the_order_is_the_seeds_and_favours_the_heavy():
    chances = {"light": 1, "heavy": 9, "middle": 3}
    assert draw.order(chances, "2025-01-04") == draw.order(
        dict(reversed(chances.items())), "2025-01-04"
    )
    firsts = [draw.order(chances, str(number))[0] for number in range(1000)]
    shares = {name: firsts.count(name) / 1000 for name in chances}
    assert shares == pytest.approx({"light": 1 / 13, "heavy": 9 / 13, "middle": 3 / 13}, abs=0.05)


def test_a_new_name_leaves_the_order_of_the_others():
    before = draw.order({"a": 1, "b": 2, "c": 3}, "seed")
    after = draw.order({"a": 1, "b": 2, "c": 3, "new": 2}, "seed")
    assert [name for name in after if name != "new"] == before
