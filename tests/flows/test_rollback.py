"""An older version becomes prod by one new tag, after its data were read; nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import origin, pipeline, registry, rollback, store
from tests.flows import deployed, toy
from tests.flows.test_store import damage, place

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

BEFORE = ["hospital#prod#1", "hospital#prod#2", "hospital@v1.0.0", "hospital@v1.1.0"]
AFTER = sorted([*BEFORE, "hospital#prod#3"])
ONNX = "data/exported/right/model.onnx"
FLOW = """\
from flows.rollback import rollback
print(rollback("hospital", "v1.0.0"))
"""


@pytest.fixture
def clone(promoted: Path) -> Path:
    return promoted


def live(clone: Path) -> str:
    version = registry.production("hospital", clone)
    assert version is not None
    return version.number


def objects(clone: Path) -> tuple[Path, Path]:
    """Return where cache and remote keep the exported file of v1.0.0."""
    version = registry.versions("hospital", clone)[0]
    with store.opened(clone) as kept:
        md5 = kept.contents(registry.content(version, clone))[ONNX]
    return place(clone / ".dvc/cache", md5), place(clone.parent / "storage", md5)


def test_an_older_version_is_prod_again_and_the_history_stays(clone: Path) -> None:
    files = toy.git(clone, "status", "--porcelain"), toy.git(clone, "rev-parse", "HEAD")
    refs = deployed.refs(clone)
    said = rollback.roll_back("hospital", "v1.0.0", root=clone)
    assert (
        said
        == "hospital@v1.0.0 is prod now, v1.1.0 was (tag hospital#prod#3); its 3 files are whole"
    )
    assert deployed.tags(clone) == AFTER and live(clone) == "v1.0.0"
    assert {ref: value for ref, value in deployed.refs(clone).items() if ref in refs} == refs
    assert deployed.gto(clone, "show", "hospital#prod", "--ref").split() == ["hospital@v1.0.0"]
    who = toy.git(clone, "for-each-ref", "--format=%(taggername) %(contents:subject)", "refs/tags/hospital#prod#3")  # fmt: skip
    assert who.strip() == "cxrepro prod: back to v1.0.0, v1.1.0 was"
    assert (toy.git(clone, "status", "--porcelain"), toy.git(clone, "rev-parse", "HEAD")) == files
    said = rollback.roll_back("hospital", "1.0.0", root=clone)
    assert said == "hospital@v1.0.0 is prod already: nothing to do"
    assert deployed.tags(clone) == AFTER
    rollback.roll_back(
        "hospital", "v1.1.0", root=clone
    )  # within the same second, by its date a later one
    assert live(clone) == "v1.1.0"
    assert deployed.gto(clone, "show", "hospital#prod", "--ref").split() == ["hospital@v1.1.0"]
    assert registry.next_number("hospital", clone) == "v1.2.0"


def test_a_clone_elsewhere_with_nothing_can_do_it(clone: Path) -> None:
    elsewhere = clone.parent / "elsewhere"
    toy.git(clone.parent, "clone", "-q", "--no-tags", "origin.git", "elsewhere")
    said = toy.python(elsewhere, "-m", "flows.rollback", "--name", "hospital", "--to", "v1.0.0",
                      PYTHONPATH=str(toy.ROOT))  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("hospital@v1.0.0 is prod now, v1.1.0 was")
    assert deployed.tags(clone) == AFTER


@pytest.mark.parametrize(
    ("name", "to", "words"),
    [
        ("hospital", "v7.0.0", r"hospital has no version 'v7\.0\.0': known are v1\.0\.0, v1\.1\.0"),
        ("clinic", "v1.0.0", r"no version of 'clinic' is registered: names .* are hospital"),
        ("a b", "v1.0.0", r"'a b' can't be the name of a model"),
    ],
)
def test_unknown_versions_are_refused(clone: Path, name: str, to: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rollback.roll_back(name, to, root=clone)
    assert deployed.tags(clone) == BEFORE


@pytest.mark.parametrize("how", ["damaged", "gone"])
def test_a_version_that_could_not_be_fetched_is_refused(clone: Path, how: str) -> None:
    cached, stored = objects(clone)
    if how == "damaged":
        damage(stored)
    else:
        cached.unlink()
        stored.unlink()
    with pytest.raises(ValueError, match=rf"v1\.0\.0 is not whole:\n{ONNX} .*{cached.parent.name}"):
        rollback.roll_back("hospital", "v1.0.0", root=clone)
    assert deployed.tags(clone) == BEFORE and live(clone) == "v1.1.0"


def test_what_only_this_cache_has_is_delivered_before(clone: Path) -> None:
    objects(clone)[1].unlink()
    rollback.roll_back("hospital", "v1.0.0", root=clone)
    deployed.check_tags_have_data(clone)
    assert deployed.tags(clone) == AFTER


def test_who_assigns_at_the_same_moment_comes_first_or_second(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = origin.send

    def meanwhile(*words: object, **options: object) -> None:
        toy.git(clone.parent / "origin.git", "tag", "-a", "-m", "mine", "hospital#prod#3", "hospital@v1.1.0")  # fmt: skip
        send(*words, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(origin, "send", meanwhile)
    with pytest.raises(origin.Overtaken):
        rollback.roll_back("hospital", "v1.0.0", root=clone)
    monkeypatch.setattr(origin, "send", send)
    assert deployed.tags(clone) == AFTER
    rollback.roll_back("hospital", "v1.0.0", root=clone)
    assert "hospital#prod#4" in deployed.tags(clone) and live(clone) == "v1.0.0"


def test_prod_of_a_commit_without_a_version_is_cured(clone: Path) -> None:
    toy.git(clone.parent / "origin.git", "tag", "-a", "-m", "by hand", "hospital#prod#3", "main~2")
    said = rollback.roll_back("hospital", "v1.1.0", root=clone)
    assert said.startswith("hospital@v1.1.0 is prod now, no version was (tag hospital#prod#4)")
    assert live(clone) == "v1.1.0"


def test_a_silent_remote_changes_nothing(clone: Path) -> None:
    (clone.parent / "origin.git").rename(clone.parent / "away.git")
    with pytest.raises(pipeline.Unreachable):
        rollback.roll_back("hospital", "v1.0.0", root=clone)
    assert live(clone) == "v1.1.0"


@pytest.mark.slow
def test_the_flow_does_the_same_with_a_server(clone: Path) -> None:
    said = toy.python(clone, "-c", FLOW, PYTHONPATH=str(toy.ROOT),
                      PREFECT_HOME=str(clone.parent / "prefect"))  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert "hospital@v1.0.0 is prod now" in said.stdout
    assert deployed.tags(clone) == AFTER
