"""Preflight: every fault of params.yaml and of the files it names is one line with its cure."""

from __future__ import annotations

import copy
import hashlib
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows import study
from stages import __main__ as preflight
from tests.architectures.cases import cells


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """The complete parameters of the default study, in an empty folder."""
    parameters = study.compose("phantom")
    monkeypatch.chdir(tmp_path)
    return copy.deepcopy(parameters)


def test_the_default_study_has_no_fault(tree):
    assert preflight.faults(tree) == []


def the_fault(tree: dict) -> str:
    """Return the only fault of `tree`."""
    found = preflight.faults(tree)
    assert len(found) == 1, found
    return found[0]


def test_a_folder_that_cannot_be_written_is_named(tree, monkeypatch):
    Path("data").mkdir()
    writable = preflight.os.access  # for root every folder is writable, so the answer is made up
    monkeypatch.setattr(
        preflight.os, "access", lambda path, mode: str(path) != "data" and writable(path, mode)
    )
    assert the_fault(tree).startswith("data can't be written: make it writable")


def test_an_unknown_section_is_named(tree):
    tree["sprit"] = {}
    assert "section sprit is unknown: known are study, seed, models, compare" in the_fault(tree)


def test_a_missing_section_is_named(tree):
    del tree["evaluate"]
    assert "section evaluate is missing: run `make study" in the_fault(tree)


def test_unknown_missing_and_mistyped_keys_are_each_a_line(tree):
    tree["split"].update(fold=3)
    del tree["split"]["respect_given"]
    run = tree["transfer"]["runs"][0]
    tree["transfer"]["recipes"][run]["epochs"] = "many"
    tree["seed"] = "five"
    text = "\n".join(preflight.faults(tree))
    assert text.count("\n") == 3
    assert "split.fold is unknown" in text
    assert "split.respect_given is missing" in text
    assert f"transfer.recipes.{run}.epochs must be int, not 'many'" in text
    assert "seed must be int, not 'five'" in text


def test_an_unknown_plug_in_lists_the_known(tree):
    tree["preprocess"]["steps"].append({"name": "clahee"})
    assert "unknown preprocessing 'clahee': known are clahe" in the_fault(tree)
    tree["preprocess"]["steps"].pop()
    tree["ingest"]["datasets"].append("nowhere")
    assert "unknown datasets 'nowhere': known are chestxray14" in the_fault(tree)


def test_a_step_s_parameters_are_checked(tree):
    tree["preprocess"]["steps"][0]["size"] = 3
    assert "preprocess.steps[0].size is unknown" in the_fault(tree)


def test_missing_raw_data_come_with_the_command(tree):
    tree["ingest"]["datasets"].append("darkcovidnet")
    assert "data/raw/darkcovidnet is missing: run `make data DATASET=darkcovidnet" in the_fault(
        tree
    )
    Path("data/raw/darkcovidnet").mkdir(parents=True)
    assert "data/raw/darkcovidnet is empty" in the_fault(tree)


def test_a_search_space_is_checked_like_a_step(tree):
    recipe = tree["search"]["recipes"]["small"]
    space = recipe["space"]
    recipe["space"] = {**space, "colours": [1]}
    assert "search.recipes.small.space.colours is unknown: known are" in the_fault(tree)
    recipe["space"] = {**space, "caps": {**space["caps"], "macs": 0}}
    assert "small.space.caps: macs must be above 0, or null for no cap, not 0" in the_fault(tree)
    recipe["space"] = {**space, "name": "stagged"}
    assert "space: unknown search/spaces 'stagged': known are basalamah_grid" in the_fault(tree)
    recipe["space"] = {}
    assert "small.space.name is missing: known are basalamah_grid" in the_fault(tree)
    recipe["space"] = None
    assert "small.space must be dict[str, Any], not None" in the_fault(tree)


def test_a_proxy_is_a_plug_in_too(tree):
    tree["search"]["recipes"]["small"] |= {"guide": 1, "prefilter": {"proxy": "luck", "draws": 4}}
    assert "small.prefilter.proxy: unknown search/proxies 'luck': known are" in the_fault(tree)
    tree["search"]["recipes"]["small"]["prefilter"] = {"proxy": "macs", "draws": 4}
    assert preflight.faults(tree) == []


def test_an_unknown_criterion_lists_the_known(tree):
    tree["prune"]["recipes"]["searched"]["criterion"] = "l3_norm"
    assert "unknown pruning/criteria 'l3_norm': known are bn_scale, fpgm" in the_fault(tree)


@pytest.mark.parametrize("section", ["search", "transfer", "prune"])
def test_a_table_of_runs_has_its_form(tree, section):
    tree[section]["run"] = []
    assert f"{section}.run is unknown: known are runs, recipes" in the_fault(tree)
    del tree[section]["run"]
    tree[section]["runs"] = "small"
    text = "\n".join(preflight.faults(tree))
    assert f"{section}.runs must be list[str], not 'small'" in text


def test_what_is_finished_has_its_form_and_fits_what_is_pruned(tree):
    tree["finish"]["runs"] = []
    assert "finish.runs is unknown: known are cuts, recipes" in the_fault(tree)
    del tree["finish"]["runs"]
    tree["finish"]["recipes"]["searched"]["epochs"] = 0
    assert "finish.recipes.searched: epochs must be at least 1, not 0" in the_fault(tree)
    tree["finish"]["recipes"]["searched"]["epochs"] = 1
    tree["finish"]["cuts"].append("pruned_30")
    assert "finish.cuts: 'pruned_30' keeps 30 % of the MACs, prune.recipes.searched" in the_fault(
        tree
    )


@pytest.mark.parametrize("models", [[], "resnet10t", [1], None])
def test_models_are_a_list_of_names(tree, models):
    tree["models"] = models
    assert f"models must be a list of at least one name, not {models!r}" in the_fault(tree)


def test_models_to_export_are_a_list_that_may_be_empty(tree):
    tree["export"]["models"] = []
    assert preflight.faults(tree) == []
    tree["export"]["model"] = []
    assert "export.model is unknown: known are models, int8" in the_fault(tree)


def test_what_runs_take_up_of_one_another_is_checked(tree):
    tree["search"]["runs"] = []
    found = preflight.faults(tree)
    assert len(found) == 2
    assert all("'small' is not in search.runs" in fault for fault in found)


def test_a_kept_network_is_taken_up_by_its_file_and_its_architecture(tree):
    run = tree["transfer"]["runs"][0]
    path = Path("data/raw/weights/kept.safetensors")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"tensors")
    bound = {"file": str(path), "sha256": hashlib.sha256(b"tensors").hexdigest()}
    found = {"backbone": "searched", "backbone_options": cells(), "weights": bound}
    tree["transfer"]["recipes"][run] |= found
    assert preflight.faults(tree) == []
    tree["transfer"]["recipes"][run]["backbone_options"] = cells(norm="batches")
    assert the_fault(tree).startswith(
        f"params.yaml: transfer.recipes.{run}.backbone_options: architecture.norm must be one of"
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with this project's code and nothing else."""
    root = Path(preflight.__file__).parents[1]
    for name in ("cxr", "stages"):
        (tmp_path / name).symlink_to(root / name)
    return tmp_path


def test_the_command_line_is_quick_and_lists_the_stages(project):
    (project / "params.yaml").write_text(study.text("phantom"))
    start = time.monotonic()
    said = subprocess.run(
        [sys.executable, "-m", "stages"], cwd=project, capture_output=True, text=True
    )
    assert time.monotonic() - start < 3  # 0.3 s on an idle machine; others may be busy beside us
    assert said.returncode == 0, said.stderr
    assert "transfer    train one recipe" in said.stdout
    assert said.stdout.endswith("parameters complete, raw data and weights in place\n")


def test_a_missing_params_yaml_says_which_command_writes_it(project):
    said = subprocess.run(
        [sys.executable, "-m", "stages"], cwd=project, capture_output=True, text=True
    )
    assert said.returncode == 1
    assert "params.yaml is missing: run `make study STUDY=phantom`" in said.stderr


def test_files_bound_by_their_hash_are_checked(tree, tmp_path):
    path = tmp_path / "splits.csv"
    tree["split"]["assignments"] = {"file": str(path), "sha256": "0" * 64}
    tree["validate"]["reference"] = {"file": str(path), "sha256": "1" * 64}
    where = (f"params.yaml: split.assignments: {path}", f"params.yaml: validate.reference: {path}")
    missing = [fault for fault in preflight.faults(tree) if fault.startswith(where)]
    assert len(missing) == 2 and all(" is missing: take it back" in fault for fault in missing)
    path.write_text("image,fold_0\n")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    tree["split"]["assignments"]["sha256"] = found
    assert [fault for fault in preflight.faults(tree) if fault.startswith(where)] == [
        f"{where[1]} has sha256 {found}, not {'1' * 64}: take the one it speaks of"
    ]
