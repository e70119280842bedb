"""The ledger: what was decided stands in git, whole, and is found again by the data's hash."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import ledger
from tests.flows import toy

ONE, TWO = "1" * 64, "2" * 64


def row(digest: str, **more: str) -> dict[str, str]:
    cells = {
        "date_utc": "2026-03-01T02:00:00Z", "arrival": "march", "manifest": digest, "study": "toy",
        "outcome": "rejected", "version": "", "opened": "yes", "acceptance": "a1", "reason": "worse, by far",
    }  # fmt: skip
    return {**cells, **more}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    toy.git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "README").write_text("x")
    toy.commit(tmp_path)
    return tmp_path


def test_a_line_comes_back_as_it_was_written(root: Path) -> None:
    assert ledger.at("main", root=root) == []
    wrote = ledger.write(root, row(ONE), {"verdict.json": "{}\n"})
    assert wrote == ["reports/arrivals.csv", "reports/arrivals/march-11111111/verdict.json"]
    ledger.write(root, row(TWO, reason='say "no",\nplease'), {})
    toy.commit(root)
    found = ledger.at("main", root=root)
    assert found == ledger.read(root) == [row(ONE), row(TWO, reason='say "no",\nplease')]
    assert ledger.tables(found[0], "main", root=root) == {"verdict.json": "{}\n"}
    assert ledger.tables(found[1], "main", root=root) == {}


def test_data_are_known_by_hash_and_study() -> None:
    rows = [row(ONE), row(TWO, study="other")]
    assert ledger.find(rows, ONE, "toy") == rows[0]
    assert ledger.find(rows, TWO, "toy") is None


def test_openings_are_those_of_one_list() -> None:
    rows = [row(ONE), row(TWO), row("3" * 64, opened="no"), row("4" * 64, acceptance="b2")]
    assert ledger.openings(rows, "a1") == 2 and ledger.openings(rows, "c3") == 0


def test_a_line_says_when_and_why_in_one_line_of_bounded_length() -> None:
    found = ledger.line("march", ONE, "toy", "rejected", opened=True, acceptance="a1", reason="x\n y " * 400)  # fmt: skip
    assert set(found) == set(ledger.COLUMNS) and found["opened"] == "yes"
    assert len(found["reason"]) == 500 and found["reason"].startswith("x y x y")
    assert found["reason"].endswith("…") and found["date_utc"].endswith("Z")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("date,arrival\n", "the first line must be date_utc,arrival"),
        (ledger.text([row(ONE)]) + "a,b\n", "line 3 has 2 of 9 cells"),
        (ledger.text([row(ONE, outcome="lost")]), "line 2 has an outcome that is none of promoted"),
    ],
)
def test_a_damaged_table_is_named_with_its_cure(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as error:
        ledger.parse(text)
    assert "restore it from git" in str(error.value)


def test_what_came_of_it_in_words() -> None:
    assert ledger.words([]) == "nothing new"
    promoted = row(TWO, outcome="promoted", version="v1.1.0")
    assert ledger.words([row(ONE), promoted]).splitlines() == [
        "march: rejected, worse, by far", "march: promoted, v1.1.0",
    ]  # fmt: skip
