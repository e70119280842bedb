"""Models by name: exported here, of a study, registered; files come whole and read-only or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from flows import models, registry, store
from tests.flows import toy
from tests.flows.test_store import damage, place

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ABOUT = {"model": "here", "card": {"labels": ["a"]}}


@pytest.fixture
def clone(promoted: Path) -> Path:
    """The clone with versions, and a model exported in it."""
    (promoted / "data/exported/here").mkdir(parents=True)
    (promoted / "data/exported/here/metadata.json").write_text(json.dumps(ABOUT))
    return promoted


def seed(folder: Path) -> str:
    return (folder / "model.onnx").read_text().splitlines()[1]


def test_a_model_of_the_working_tree_is_taken_where_it_is(clone: Path) -> None:
    assert models.where("here", clone) == clone / "data/exported/here"


@pytest.mark.parametrize("name", ["prod", "hospital", "hospital#prod", "hospital@prod", "v1.1.0", "1.1", "hospital@v1.1"])  # fmt: skip
def test_prod_has_many_names(clone: Path, name: str) -> None:
    found = models.where(name, clone)
    assert found.is_relative_to(clone / "data/.scratch/exported")
    assert seed(found) == "seed: 9" and (found / "maps/about.txt").read_text() == "maps\n"


def test_versions_lie_side_by_side_read_only_and_are_brought_once(clone: Path) -> None:
    old, new = models.where("v1", clone), models.where("v1.1.0", clone)
    assert seed(old) != seed(new)
    path = old / "model.onnx"
    assert path.stat().st_mode & 0o222 == 0
    before = path.stat().st_mtime_ns
    shutil.rmtree(clone.parent / "storage")
    shutil.rmtree(clone / ".dvc/cache")
    assert models.where("v1.0.0", clone) == old and path.stat().st_mtime_ns == before


def test_a_copy_that_somebody_changed_is_brought_anew(clone: Path) -> None:
    path = models.where("prod", clone) / "model.onnx"
    path.chmod(0o644)
    path.write_text("onnx\nseed: 0\n")
    assert seed(models.where("prod", clone)) == "seed: 9"


def test_a_damaged_version_is_told_and_nothing_half_is_left(clone: Path) -> None:
    version = registry.versions("hospital", clone)[-1]
    with store.opened(clone) as kept:
        md5 = kept.contents(registry.content(version, clone))["data/exported/right/model.onnx"]
    for side in (clone / ".dvc/cache", clone.parent / "storage"):
        damage(place(side, md5))
    with pytest.raises(ValueError, match=r"model\.onnx is damaged"):
        models.where("prod", clone)
    assert [path for path in (clone / models.SCRATCH).rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("clinic", r"'clinic' is no path and no model: known are here, hospital@v1\.1\.0, hospital@v1\.0\.0"),
        ("v7", r"hospital has no version 'v7\.0\.0': known are v1\.0\.0, v1\.1\.0"),
        ("clinic@prod", r"'clinic' has no version that is prod: names with versions are hospital"),
        ("study:clinic", r"unknown study 'clinic': known are"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_told_with_those_known(clone: Path, name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        models.where(name, clone)


def study(clone: Path, name: str, exported: list[str]) -> Path:
    """Write a study with a record of the clone's own lock file; return the record's folder."""
    kept = clone / "studies" / name / "record"
    kept.mkdir(parents=True)
    (kept.parent / "study.yaml").write_text("about: a study\n")
    (kept / "params.yaml").write_text(json.dumps({"study": name, "export": {"models": exported}}))
    shutil.copy2(clone / "dvc.lock", kept / "dvc.lock")
    return kept


def test_a_recorded_study_has_its_model_in_the_cache(clone: Path) -> None:
    study(clone, "older", ["right"])
    found = models.where("study:older", clone)
    assert found.name == "right" and seed(found).startswith("seed: ")
    assert models.where("study:older/right", clone) == found
    study(clone, "both", ["right", "left"])
    with pytest.raises(ValueError, match=r"exports 2 models: name one of study:both/right, study:both/left"):  # fmt: skip
        models.where("study:both", clone)
    with pytest.raises(ValueError, match=r"lock file of study both has no data/exported/left"):
        models.where("study:both/left", clone)
    with pytest.raises(ValueError, match=r"study both exports no 'up': known are right, left"):
        models.where("study:both/up", clone)


def test_the_study_of_params_has_its_model_in_the_working_tree(clone: Path) -> None:
    shutil.rmtree(study(clone, "mine", ["here"]))
    with pytest.raises(ValueError, match=r"mine is not the one of params\.yaml and has no record"):
        models.where("study:mine", clone)
    (clone / "params.yaml").write_text(
        json.dumps({"study": "mine", "export": {"models": ["here"]}})
    )
    assert models.where("study:mine", clone) == clone / "data/exported/here"


def test_the_list_has_the_working_tree_and_every_version_the_newest_first(clone: Path) -> None:
    here, newest, older = models.listed(clone)
    assert (here["name"], here["card"], here["prod"]) == ("here", {"labels": ["a"]}, False)
    assert here["sha256"] == hashlib.sha256(json.dumps(ABOUT).encode()).hexdigest()
    assert (newest["name"], newest["prod"]) == ("hospital@v1.1.0", True)
    assert (older["name"], older["prod"]) == ("hospital@v1.0.0", False)
    # the toy's export says nothing of itself
    assert "has no metadata.json" in newest["fault"] and newest["card"] is None
    assert len(newest["commit"]) == 40 and newest["day"]


def test_a_versions_card_comes_from_where_its_files_lie(clone: Path) -> None:
    content = json.dumps(ABOUT).encode()
    md5 = hashlib.md5(content).hexdigest()
    entries = [{"md5": md5, "relpath": "metadata.json"}]
    listing = json.dumps(entries, sort_keys=True).encode()
    folder = f"{hashlib.md5(listing).hexdigest()}.dir"
    for name, text in ((md5, content), (folder, listing)):
        path = place(clone.parent / "storage", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    outputs = {"data/exported/right": folder}
    assert models._metadata(outputs, clone) == content
    assert models._digest(models._bring(outputs, clone)) == folder


def test_the_command_prints_json_and_complaints_in_lines(clone: Path) -> None:
    done = toy.python(clone, "-m", "flows.models", "where", "here", PYTHONPATH=str(toy.ROOT))
    assert json.loads(done.stdout) == {"path": "data/exported/here"}
    done = toy.python(clone, "-m", "flows.models", "where", "clinic", PYTHONPATH=str(toy.ROOT))
    assert done.returncode == 1 and done.stderr.startswith("error: 'clinic' is no path")
    done = toy.python(clone, "-m", "flows.models", "list", PYTHONPATH=str(toy.ROOT))
    assert json.loads(done.stdout)[0]["name"] == "here"
