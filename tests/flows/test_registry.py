"""Versions are listed, held against their hashes, and prod's model comes to whoever asks, whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import registry, store
from tests.flows import deployed, toy
from tests.flows.test_store import damage, place

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

EXPORT = "data/exported/right"


@pytest.fixture
def clone(promoted: Path) -> Path:
    return promoted


@pytest.fixture
def elsewhere(clone: Path) -> Path:
    """A clone of somebody else, with an empty cache and no tag."""
    folder = clone.parent / "elsewhere"
    toy.git(clone.parent, "clone", "-q", "--no-tags", "origin.git", "elsewhere")
    return folder


def content(clone: Path, version: registry.Version) -> dict[str, str]:
    with store.opened(clone) as kept:
        return kept.contents(registry.content(version, clone))


def command(root: Path, *words: str):
    return toy.python(root, "-m", "flows.registry", *words, PYTHONPATH=str(toy.ROOT))


def test_a_whole_version_is_verified_with_an_empty_cache_too(clone: Path, elsewhere: Path) -> None:
    for version in registry.versions("hospital", clone):
        assert registry.verify(version, clone) == 3
        assert registry.verify(version, elsewhere) == 3


@pytest.mark.parametrize("side", ["cache", "remote"])
def test_a_flipped_bit_of_a_version_is_found_and_named(clone: Path, side: str) -> None:
    old, new = registry.versions("hospital", clone)
    path = f"{EXPORT}/model.onnx"
    folder = clone / ".dvc/cache" if side == "cache" else clone.parent / "storage"
    damage(place(folder, content(clone, old)[path]))
    with pytest.raises(ValueError, match=rf"^hospital@v1\.0\.0 is not whole:\n{path} is damaged"):
        registry.verify(old, clone)
    assert registry.verify(new, clone) == 3


def test_what_only_the_cache_has_is_delivered_if_asked(clone: Path) -> None:
    version = registry.versions("hospital", clone)[0]
    lost = place(clone.parent / "storage", content(clone, version)[f"{EXPORT}/model.onnx"])
    lost.unlink()
    registry.verify(version, clone)
    assert not lost.exists()
    registry.verify(version, clone, deliver=True)
    deployed.check_tags_have_data(clone)


def test_a_commit_without_a_model_is_told_with_the_tag(clone: Path) -> None:
    folder = deployed.worktree(clone, None)
    (folder / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    deployed.git(folder, "commit", "-q", "-a", "-m", "no model")
    commit = deployed.git(folder, "rev-parse", "HEAD").strip()
    version = registry.Version(name="hospital", number="v9.0.0", tag="hospital@v9.0.0", commit=commit)  # fmt: skip
    with pytest.raises(ValueError, match=r"^hospital@v9\.0\.0: dvc\.lock has no data/models/right"):
        registry.content(version, clone)


def test_the_list_marks_prod_and_comes_from_the_remote(clone: Path, elsewhere: Path) -> None:
    said = command(elsewhere, "hospital")
    assert said.returncode == 0, said.stderr
    first, second = said.stdout.splitlines()
    assert first.startswith("hospital@v1.0.0        ") and second.startswith(
        "hospital@v1.1.0  prod  "
    )
    assert registry.table(None, elsewhere) == [first, second]
    (clone.parent / "origin.git").rename(clone.parent / "away.git")
    said = command(elsewhere)
    assert said.stdout.splitlines() == [first, second]
    assert said.stderr.startswith("warning: git remote 'origin'") and "knew before" in said.stderr


def test_prods_model_comes_to_a_clone_elsewhere_byte_for_byte(clone: Path, elsewhere: Path) -> None:
    target = clone.parent / "a server" / "model"
    said = command(elsewhere, "--fetch", "hospital", "--to", str(target))
    assert said.returncode == 0, said.stderr
    assert "hospital@v1.1.0, maps/about.txt, model.onnx, each checked" in said.stdout
    assert (target / "model.onnx").read_text().startswith("onnx\nseed: 9\n")
    assert sorted(path.name for path in target.parent.iterdir()) == ["model"]
    said = command(elsewhere, "--fetch", "hospital", "--to", str(target))
    assert said.returncode == 1 and "holds something: name a new or empty folder" in said.stderr
    said = command(elsewhere, "--fetch", "clinic", "--to", str(target / "x"))
    assert (
        said.stderr
        == "error: 'clinic' has no version that is prod: names with versions are hospital\n"
    )


def test_a_damaged_model_is_not_fetched_and_nothing_half_is_left(clone: Path, elsewhere: Path) -> None:  # fmt: skip
    version = registry.versions("hospital", clone)[-1]
    damage(place(clone.parent / "storage", content(clone, version)[f"{EXPORT}/model.onnx"]))
    target = clone.parent / "server" / "model"
    with pytest.raises(ValueError, match=r"model\.onnx is damaged"):
        registry.download(version, target, elsewhere)
    assert list(target.parent.iterdir()) == []
    (target).mkdir()  # an empty one is as good as none
    assert registry.download(version, target, clone) == ["maps/about.txt", "model.onnx"]
