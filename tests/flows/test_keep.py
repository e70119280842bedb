"""`make keep`: a model's weights for the next study, bit for bit, with the recipe that takes them up."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from cxr import artifacts, params
from cxr.backbones import surgery
from cxr.training import loop, models
from cxr.training.network import build, last_layer
from cxr.training.recipe import Recipe
from flows import data, keep, study
from tests.architectures.cases import cells, mobile, stage
from tests.flows import toy
from tests.pruning import parents
from tests.training.recipes import TINY

FOUND = [cells(stage(width=8)), mobile()]  # a search finds another network for each fold
FIT = """\
import json, pathlib, shutil, sys
name = sys.argv[1]
pathlib.Path("data/source/a.txt").read_text()
shutil.copytree(pathlib.Path({made!r}) / name, pathlib.Path("data/models") / name, dirs_exist_ok=True)
report = pathlib.Path("reports/evaluate") / name
report.mkdir(parents=True, exist_ok=True)
numbers = {{"model": name, "accuracy": {{"value": 0.5, "low": 0.1, "high": 0.9}}}}
(report / "metrics.json").write_text(json.dumps(numbers))
"""
WEIGHTS = Path("data/raw/weights")
ORIGIN = "from flows import keep; print(*keep.origin(keep.read('left', 0)), sep='\\n')"


def pruned(folder: Path) -> None:
    """Write a model of one fold whose channels are cut."""
    recipe = parents.small()
    network = parents.network(recipe)
    whole = {"size_px": parents.SIZE, "ignored": [last_layer(network)]}
    cut = {x.name: list(range(x.channels // 2)) for x in surgery.groups(network, **whole)}
    surgery.keep(network, cut, **whole)
    fitted = loop.Fitted(dict(network.state_dict()), best_epoch=0, history=[])
    saved = models.Saved(fitted, recipe.backbone_options, cut, 1.0)
    models.save(folder, recipe, [saved], labels=["a", "b"], size_px=parents.SIZE)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real models: `left` of two folds, each with the network found for it, and `right`, pruned."""
    folder = tmp_path_factory.mktemp("made")
    recipe = parents.small(backbone="searched", backbone_options={"search": "s", "pick": "evolved"},
                           mean=0.51, std=0.25)  # fmt: skip
    parents.save(folder / "left", recipe, folds=2, options=FOUND)
    pruned(folder / "right")
    return folder


@pytest.fixture(scope="module")
def finished(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy study whose runs gave those models, committed; not to be changed."""
    root = toy.make(tmp_path_factory.mktemp("toy") / "with a space", fit=FIT.format(made=str(made)))
    toy.commit(toy.run(root))
    return root


@pytest.fixture
def project(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it as the current folder."""
    root = Path(shutil.copytree(finished, tmp_path / "with a space", symlinks=True))
    monkeypatch.chdir(root)
    return root


def run(project: Path, *words: str) -> str:
    said = toy.python(project, "-m", "flows.keep", *words)
    assert said.returncode == 0, said.stderr
    return said.stdout


def complaint(project: Path, *words: str) -> str:
    said = toy.python(project, "-m", "flows.keep", *words)
    assert (said.returncode, said.stdout) == (1, "") and "Traceback" not in said.stderr
    return said.stderr


def pasted(said: str, run: str) -> dict[str, Any]:
    """Return the recipe that the command printed, pasted into a study as it stands."""
    path = study.STUDIES / "next/study.yaml"
    path.parent.mkdir()
    path.write_text(f"about: the second step\n{said}  runs: [{run}]\n")
    defaults = study.STUDIES / "defaults.yaml"
    usual = {**TINY, "backbone_options": {}}
    defaults.write_text(json.dumps({"transfer": {"runs": [], "recipes": {"*": usual}}}))
    return study.compose("next")["transfer"]["recipes"][run]


def test_what_is_kept_is_the_file_known_to_dvc_with_the_study_and_the_commit_it_came_from(project):
    commit = toy.git(project, "rev-parse", "HEAD").strip()
    said = run(project, "left", "kept", "--fold", "1")
    before = f"# left, fold 1 of 2: study toy, git commit {commit}, images of 32 px\n"
    after = "# commit data/raw/weights.dvc; for study.yaml, with kept in transfer.runs:\n"
    assert said.startswith(f"{before}{after}transfer:\n  recipes:\n    kept:\n")
    target = WEIGHTS / "kept.safetensors"
    assert target.read_bytes() == Path("data/models/left/fold-1.safetensors").read_bytes()
    assert run(project, "left", "kept", "--fold", "1") == said  # again: the same file is there
    assert [path.name for path in WEIGHTS.iterdir()] == [target.name]
    words = ("status", "--porcelain", "--untracked-files=all")
    assert toy.git(project, *words) == "?? data/raw/weights.dvc\n"
    assert "nfiles: 1\n" in Path("data/raw/weights.dvc").read_text()
    assert pasted(said, "kept")["backbone_options"] == FOUND[1]


@pytest.mark.parametrize("fold", [0, 1])
def test_the_printed_recipe_builds_the_kept_network_with_a_head_for_other_labels(project, fold):
    kept = keep.read("left", fold)
    target = keep.bring(kept, "first_step")
    found = pasted(keep.recipe(kept, target, "first_step"), "first_step")
    sha256 = hashlib.sha256(target.read_bytes()).hexdigest()
    assert found["weights"] == {"file": str(target), "sha256": sha256}
    assert (found["backbone"], found["backbone_options"]) == ("searched", FOUND[fold])
    assert (found["mean"], found["std"]) == (0.51, 0.25)
    network = build(params.build(Recipe, found, where="recipe"), labels=3, seed=1, fold=0)
    tensors = artifacts.read_tensors(target)
    for name, tensor in network.state_dict().items():
        if name.startswith("backbone."):
            assert torch.equal(tensor, tensors[name])
    assert last_layer(network).out_features == 3 != tensors["head.1.weight"].shape[0]


def test_what_speaks_against_the_commit_is_said(project):
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("seed: 7", "seed: 8"))
    Path("stages/fit.py").write_text(Path("stages/fit.py").read_text() + "# more\n")
    said = toy.python(project, "-c", ORIGIN).stdout.splitlines()[1:]
    assert said == [
        "beware: params.yaml was changed by hand",
        "beware: not committed: stages/fit.py",
        "beware: not up to date: source, fit@left",
    ]
    Path("params.yaml").write_text(text.replace("[left, right]", "[right]"))
    assert toy.python(project, "-c", ORIGIN).stdout.splitlines()[-1] == (
        "beware: params.yaml lists no run that makes left: it comes from another study"
    )


def test_a_name_that_holds_other_weights_stays_theirs(project):
    keep.bring(keep.read("left", 0), "kept")
    before = (WEIGHTS / "kept.safetensors").read_bytes()
    with pytest.raises(
        ValueError,
        match=r"weights/kept\.safetensors holds other weights \(sha256 .* another name by AS=<name>",
    ):
        keep.bring(keep.read("left", 1), "kept")
    assert (WEIGHTS / "kept.safetensors").read_bytes() == before
    assert [path.name for path in WEIGHTS.iterdir()] == ["kept.safetensors"]


def test_weights_that_only_dvc_knows_are_not_forgotten(project):
    data.bring_weights(project / "data/models/left")
    added = toy.python(project, "-m", "dvc", "add", "--quiet", str(WEIGHTS))
    assert added.returncode == 0, added.stderr
    shutil.rmtree(WEIGHTS)
    with pytest.raises(
        ValueError, match=r"weights\.dvc names weights that are not here: run `dvc pull"
    ):
        keep.bring(keep.read("left", 0), "kept")
    assert not WEIGHTS.exists()


@pytest.mark.parametrize("name", ["../kept", "Kept", "kept.safetensors", "", "-x", "a b"])
def test_the_name_is_plain(project, name):
    with pytest.raises(ValueError, match="is not a plain name: use small letters, digits and _"):
        keep.bring(keep.read("left", 0), name)
    assert not WEIGHTS.exists()


def test_a_pruned_network_is_refused(project):
    said = complaint(project, "right", "kept")
    assert "error: right is pruned: its channels are cut, so its tensors fit no network" in said
    assert not WEIGHTS.exists()


def test_an_unknown_model_and_fold_list_the_known(project):
    Path("data/models/interrupted").mkdir()
    for unknown in ("lft", "interrupted", "../models/left", ""):
        with pytest.raises(ValueError, match=rf"unknown model '{unknown}': data/models holds left, right"):  # fmt: skip
            keep.read(unknown, 0)
    for fold in (2, -1):
        with pytest.raises(ValueError, match=rf"left has no fold {fold}: it has 2, from 0"):
            keep.read("left", fold)
    shutil.rmtree("data/models")
    with pytest.raises(ValueError, match="unknown model 'left': data/models holds none"):
        keep.read("left", 0)


@pytest.mark.parametrize("name", ["recipe.json", "fold-1.json", "fold-1.safetensors"])
def test_a_file_that_was_changed_or_is_missing_is_refused_by_name(project, name):
    path = Path("data/models/left") / name
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.unlink()
    with pytest.raises(ValueError, match=rf"{name} is missing: run `dvc checkout`"):
        keep.read("left", 1)
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=rf"{name} was changed: its sha256 is [0-9a-f]{{64}}, config"):  # fmt: skip
        keep.read("left", 1)


def test_a_model_of_another_format_or_none_is_refused(project):
    assert keep.FORMAT == models.FORMAT
    config = Path("data/models/left/config.json")
    config.write_text(json.dumps({**json.loads(config.read_text()), "format": 2}))
    with pytest.raises(ValueError, match=f"has format 2, this code reads {keep.FORMAT}"):
        keep.read("left", 0)
    config.write_text("{")
    with pytest.raises(ValueError, match=r"left/config\.json is no valid JSON"):
        keep.read("left", 0)
