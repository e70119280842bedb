"""The registry is read as GTO writes it: numbers, stages, what was taken back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows import versions
from tests.flows import toy


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository of three commits."""
    root = tmp_path / "clone"
    root.mkdir()
    toy.git(root, "init", "-q", "-b", "main")
    for number in range(3):
        (root / "file").write_text(str(number))
        toy.commit(root, f"commit {number}")
    return root


def tag(root: Path, name: str, commit: str, *, annotated: bool = True) -> None:
    toy.git(root, "tag", *(["-a", "-m", "words"] if annotated else []), name, commit)


def numbers(root: Path, name: str = "hospital") -> list[str]:
    return [version.number for version in versions.versions(name, root)]


def live(root: Path) -> str | None:
    version = versions.production("hospital", root)
    return version and version.number


def test_an_empty_registry_has_nothing_and_begins_with_v1(clone: Path) -> None:
    assert versions.names(clone) == [] and numbers(clone) == []
    assert versions.production("hospital", clone) is None
    assert versions.next_number("hospital", clone) == "v1.0.0"
    assert versions.next_counter("hospital", clone) == 1


def test_versions_are_ordered_by_number_and_the_minor_grows(clone: Path) -> None:
    for number, commit in (("v1.10.0", "HEAD"), ("v1.9.0", "HEAD~1"), ("v1.2.5", "HEAD~2")):
        tag(clone, f"hospital@{number}", commit)
    tag(clone, "clinic@v7.0.0", "HEAD")
    tag(clone, "v9.0.0", "HEAD")  # of no model
    assert numbers(clone) == ["v1.2.5", "v1.9.0", "v1.10.0"]
    assert versions.names(clone) == ["clinic", "hospital"]
    assert versions.next_number("hospital", clone) == "v1.11.0"
    newest = versions.versions("hospital", clone)[-1]
    assert newest.tag == "hospital@v1.10.0"
    assert newest.commit == toy.git(clone, "rev-parse", "HEAD").strip()


def test_the_assignment_with_the_greatest_number_is_prod(clone: Path) -> None:
    tag(clone, "hospital@v1.0.0", "HEAD~1")
    tag(clone, "hospital@v1.1.0", "HEAD")
    for counter, commit in ((2, "HEAD"), (10, "HEAD~1"), (9, "HEAD")):
        tag(clone, f"hospital#prod#{counter}", commit)
    tag(clone, "hospital#tried#11", "HEAD")  # another stage, the same count
    assert live(clone) == "v1.0.0"
    assert versions.next_counter("hospital", clone) == 12


def test_a_tag_of_a_versions_tag_means_its_commit(clone: Path) -> None:
    tag(clone, "hospital@v1.0.0", "HEAD~1")
    tag(clone, "hospital#prod#1", "hospital@v1.0.0")
    assert live(clone) == "v1.0.0"


def test_what_was_taken_back_does_not_count_and_its_number_is_not_given_again(clone: Path) -> None:
    tag(clone, "hospital@v1.0.0", "HEAD~1")
    tag(clone, "hospital@v1.1.0", "HEAD")
    tag(clone, "hospital#prod#1", "HEAD~1")
    tag(clone, "hospital#prod#2", "HEAD")
    tag(clone, "hospital#prod!#3", "HEAD")
    tag(clone, "hospital@v1.1.0!#4", "HEAD")
    assert live(clone) == "v1.0.0" and numbers(clone) == ["v1.0.0"]
    assert versions.next_number("hospital", clone) == "v1.2.0"


def test_a_tag_without_annotation_is_no_version_but_keeps_its_number(clone: Path) -> None:
    tag(clone, "hospital@v1.0.0", "HEAD", annotated=False)
    assert numbers(clone) == []
    assert versions.next_number("hospital", clone) == "v1.1.0"


def test_prod_of_a_commit_without_a_version_is_an_error_with_the_cure(clone: Path) -> None:
    tag(clone, "hospital#prod#1", "HEAD")
    with pytest.raises(ValueError, match=r"hospital#prod#1 names commit .* flows\.rollback --name"):
        versions.production("hospital", clone)


def test_a_version_is_found_by_number_or_tag_and_others_are_listed(clone: Path) -> None:
    tag(clone, "hospital@v1.0.0", "HEAD")
    for words in ("v1.0.0", "1.0.0", "hospital@v1.0.0"):
        assert versions.find("hospital", words, clone).number == "v1.0.0"
    with pytest.raises(ValueError, match=r"no version 'v3': known are v1\.0\.0"):
        versions.find("hospital", "v3", clone)
    with pytest.raises(ValueError, match=r"no version of 'clinic' .* are hospital"):
        versions.find("clinic", "v1.0.0", clone)


@pytest.mark.parametrize("name", ["", "a b", "-a", "a@b", "häuser", "a#b"])
def test_names_that_gto_cannot_read_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="can't be the name of a model"):
        versions.check_name(name)


@pytest.mark.slow
def test_tags_of_gtos_own_program_are_read(clone: Path) -> None:
    def gto(*words: str) -> None:
        who = {f"GIT_{role}_{key}": "a@b.c" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}  # fmt: skip
        command = [str(Path(sys.executable).with_name("gto")), *words]
        subprocess.run(
            command, cwd=clone, check=True, capture_output=True, env={**os.environ, **who}
        )

    gto("register", "hospital", "HEAD~1", "--version", "v1.0.0")
    gto("assign", "hospital", "HEAD~1", "--stage", "prod")
    gto("register", "hospital", "HEAD", "--bump-minor")
    assert numbers(clone) == ["v1.0.0", "v1.1.0"]
    assert live(clone) == "v1.0.0"
    assert versions.next_counter("hospital", clone) == 2
