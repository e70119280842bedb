"""The page of what did not come again: where the recorded contents are found, and what is said."""

from __future__ import annotations

from flows import causes, pipeline, verdict
from flows.differences import Difference
from tests.flows import toy


def case(repository, file: str, *, stale: bool = False) -> causes.Case:
    """What verify would hold against the repository, which is its own clone here."""
    return causes.Case(
        clone=repository, python=repository, lock=(repository / "dvc.lock").read_text(), failed=False,
        difference=Difference(stage="fit@left", file=file, line="differs", stale=stale), processor=None,
    )  # fmt: skip


def test_recorded_data_come_from_the_cache_and_reports_from_the_commit(repository):
    head = toy.git(repository, "rev-parse", "HEAD").strip()
    for file in ("data/models/left/weights.txt", "reports/evaluate/left/metrics.json"):
        path = repository / file
        content = path.read_bytes()
        path.unlink()  # a link into the cache may not be written to
        path.write_bytes(content + b"x")
        said = verdict.place(case(repository, file), commit=head, root=repository)
        assert said == f"byte {len(content)} of {len(content)} (made: {len(content) + 1})"


def test_what_is_of_no_file_has_no_place(repository):
    head = toy.git(repository, "rev-parse", "HEAD").strip()
    for file, stale in (("", False), ("dvc.lock", True), ("data/models/left/gone.txt", False)):
        assert (
            verdict.place(case(repository, file, stale=stale), commit=head, root=repository) == ""
        )


def test_contents_that_are_nowhere_are_said_to_be(repository, monkeypatch):
    monkeypatch.setattr(pipeline, "cached", lambda root, md5: None)
    head = toy.git(repository, "rev-parse", "HEAD").strip()
    said = verdict.place(
        case(repository, "data/models/left/weights.txt"), commit=head, root=repository
    )
    assert "`dvc pull` brings them" in said


def test_a_page_holds_the_first_differences_and_counts_the_rest():
    found = [Difference(stage="s", file="f", line=f"s: {x}") for x in range(50)]
    why = causes.Cause(kind="hardware", words="other results", unseen=("a (not needed)",))
    lines = verdict.words(found, "row 3", why)
    assert lines[0] == "50 differences, in the order of the stages:"
    assert lines[-4:] == [
        "and 10 more",
        "first difference: f: row 3",
        "likely cause (hardware): other results",
        "not looked at: a (not needed)",
    ]
    assert verdict.words(found[:1], "", why)[:2] == ["1 difference:", "s: 0"]
