"""dvc.yaml says what the code does: its dependencies, parameters, commands and reports."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from cxr import params
from tests.house import source

PIPELINE: dict[str, Any] = params.read_yaml(source.ROOT / "dvc.yaml")["stages"]
FILES = [name for name in source.modules("stages") if not name.startswith("stages/_")]
# A second stage of the same file, for runs that wait for something more; its data may differ.
VARIANTS = {"transfer-searched": "transfer"}
BROUGHT = ("data/raw", "data/champion")  # by `make data`, or by who runs the gate
CURVE = {"x": "epoch", "y": "val_auroc", "template": "learning_curve"}
NEVER_EMPTY = {"reports/evaluate", "reports/transfer"}  # every study has a model


def _program(stage: str) -> str:
    """The name of the file that a stage runs."""
    return VARIANTS.get(stage, stage)


def _entries(stage: str, kind: str) -> dict[str, dict[str, Any]]:
    """The paths under `outs`, `metrics` or `plots` of a stage, each with its options."""
    entries: dict[str, dict[str, Any]] = {}
    for entry in PIPELINE[stage].get(kind, []):
        entries |= entry if isinstance(entry, dict) else {entry: {}}
    return entries


def _dependencies(stage: str) -> list[str]:
    listed = PIPELINE[stage].get("deps", [])
    return [x for x in listed if x.split("/")[0] in source.PACKAGES or x == "numerics.lock"]


def _expand(dependency: str) -> set[str]:
    """The files that a dependency stands for; `${item.…}` stands for every plug-in of its folder."""
    if "${" in dependency:
        folder = dependency.split("/${")[0]
        return {x for x in source.inside(folder) if not x.split("/")[-1].startswith("_")}
    return {dependency} if (source.ROOT / dependency).is_file() else set(source.inside(dependency))


def _shortest(files: set[str]) -> list[str]:
    """Dependency lines for `files`: a folder where everything in it is lacking, else the files."""
    lines = set()
    for file in files:
        parts = file.split("/")
        folders = ["/".join(parts[:length]) for length in range(2, len(parts))]
        whole = [folder for folder in folders if set(source.inside(folder)) <= files]
        lines.add(whole[0] if whole else file)
    return sorted(lines)


@pytest.mark.parametrize("stage", sorted(PIPELINE))
def test_dependencies_are_what_the_code_imports(stage: str) -> None:
    """Too few: a change is not run again. Too many: a change retrains for nothing."""
    needed = set(source.closure(f"stages/{_program(stage)}.py"))
    given = {x: _expand(x) for x in _dependencies(stage) if x != "numerics.lock"}
    lacking = _shortest(needed - set().union(*given.values()))
    lacking += [] if "numerics.lock" in _dependencies(stage) else ["numerics.lock"]
    needless = sorted(x for x, files in given.items() if not files or not files <= needed)
    message = "".join(
        [f"\ndvc.yaml, stage {stage}, deps:"]
        + [f"\n  add     - {line}" for line in lacking]
        + [f"\n  remove  - {line}" for line in needless]
    )
    assert not lacking and not needless, message


@pytest.mark.parametrize("stage", sorted(PIPELINE))
def test_no_dependency_stands_twice(stage: str) -> None:
    listed = PIPELINE[stage].get("deps", [])
    assert sorted(set(listed)) == sorted(listed)
    inside = [(x, y) for x in listed for y in listed if x.startswith(f"{y}/")]
    assert inside == [], "a file stands beside its own folder"


def _parameters(stage: str) -> set[str]:
    """What dvc.yaml names under `params:`, `*` in the place of an item's name."""
    named = set()
    for entry in PIPELINE[stage].get("params", []):
        if isinstance(entry, dict):
            assert entry == {"params.yaml": None}, f"{stage}: {entry}: write `- params.yaml:`"
        named.add(source.WHOLE_FILE if isinstance(entry, dict) else _starred(entry))
    return named


def _starred(text: str) -> str:
    return re.sub(r"\$\{[^}]*\}", "*", text)


@pytest.mark.parametrize("stage", sorted(PIPELINE))
def test_parameters_are_what_the_code_reads(stage: str) -> None:
    """Too few: the outputs grow stale, and a clean run differs from a kept one."""
    asked = set()
    for file in source.closure(f"stages/{_program(stage)}.py"):
        if file.endswith(".py") and file != "cxr/params.py":
            asked |= source.asked_params(file)
    asked = {source.WHOLE_FILE} if source.WHOLE_FILE in asked else asked
    given = _parameters(stage)
    assert given == asked, "".join(
        [f"\ndvc.yaml, stage {stage}, params:"]
        + [f"\n  add     - {name}" for name in sorted(asked - given)]
        + [f"\n  remove  - {name}" for name in sorted(given - asked)]
    )


def test_every_stage_has_a_file_and_every_file_a_stage() -> None:
    own = sorted(set(PIPELINE) - set(VARIANTS))
    assert own == sorted(name[len("stages/") : -len(".py")] for name in FILES)


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_a_variant_is_its_stage_for_other_items_and_waits_for_more(variant: str) -> None:
    """Same command, code, parameters and outputs: only the list of items and what is waited for differ."""
    one, other = PIPELINE[VARIANTS[variant]], PIPELINE[variant]
    assert set(one) == set(other)
    differing = {key for key in one if one[key] != other[key]}
    assert differing == {"matrix", "deps"}
    assert list(one["matrix"]) == list(other["matrix"])
    more = set(other["deps"]) - set(one["deps"])
    assert set(one["deps"]) < set(other["deps"]) and all(x.startswith("data/") for x in more)


@pytest.mark.parametrize("stage", sorted(PIPELINE))
def test_command_is_the_stage_and_at_most_its_item(stage: str) -> None:
    """Free text of params.yaml never enters a command: its only words are names from the matrix."""
    items = list(PIPELINE[stage].get("matrix", {}))
    words = "".join(f" ${{item.{name}}}" for name in items)
    assert PIPELINE[stage]["cmd"] == f"python -m stages.{_program(stage)}{words}"
    assert len(items) <= 2


@pytest.mark.parametrize("stage", sorted(PIPELINE))
def test_reports_are_uncached_metrics_or_plots_and_data_are_cached_outs(stage: str) -> None:
    """An uncached `out` turns the run cache off: returning to old parameters would train again."""
    for path, options in _entries(stage, "outs").items():
        assert path.startswith("data/") and options == {}, f"outs of {stage}: {path} {options}"
    for kind in ("metrics", "plots"):
        for path, options in _entries(stage, kind).items():
            assert path.startswith("reports/"), f"{kind} of {stage}: {path}"
            kept = {key: x for key, x in options.items() if key not in CURVE}
            assert kept == {"cache": False}, f"{kind} of {stage}: {path} needs `cache: false`"


def test_learning_curves_are_drawn_over_epochs_with_a_line_for_each_fold() -> None:
    """DVC by itself draws a table's last column over its rows, one fold behind the other."""
    template = json.loads((source.ROOT / ".dvc/plots/learning_curve.json").read_text())
    assert template["encoding"]["detail"]["field"] == "fold"
    drawn = {
        stage: {key: options[key] for key in CURVE if key in options}
        for stage in PIPELINE
        for path, options in _entries(stage, "plots").items()
        if path.endswith("/plots") and CURVE.keys() & options.keys()
    }
    assert drawn == dict.fromkeys(("transfer", "transfer-searched", "distill", "finish"), CURVE)


def test_what_dvc_calls_metrics_is_a_line_for_each_model() -> None:
    """`dvc metrics show` and `diff` are read by people: every number of every report would drown them."""
    found = {path for stage in PIPELINE for path in _entries(stage, "metrics")}
    assert found == {"reports/evaluate/${item.model}/summary.json"}


def test_nothing_hashed_lies_in_the_host_folder() -> None:
    """reports/host/ holds durations and may differ from run to run."""
    for stage in PIPELINE:
        for kind in ("outs", "metrics", "plots", "deps"):
            assert not [x for x in _entries(stage, kind) if x.startswith("reports/host")]


def test_a_dependency_on_data_is_made_by_a_stage_or_brought_by_a_person() -> None:
    made = {x for stage in PIPELINE for kind in ("outs", "metrics", "plots")
            for x in _entries(stage, kind)}  # fmt: skip
    made = {_starred(x) for x in made}
    for stage, content in PIPELINE.items():
        for wanted in content.get("deps", []):
            if wanted.split("/")[0] not in ("data", "reports") or wanted.startswith(BROUGHT):
                continue
            path = _starred(wanted)
            near = [
                x for x in made if x == path or x.startswith(f"{path}/") or path.startswith(f"{x}/")
            ]
            assert near, f"{stage} reads {wanted}, which no stage makes"


def test_a_folder_of_reports_is_there_though_no_run_may_fill_it() -> None:
    """DVC fails on a dependency that is missing, and a study may list no search and no pruning."""
    by_item = {
        _starred(path).split("/*")[0]
        for stage, content in PIPELINE.items()
        for kind in ("metrics", "plots")
        for path in _entries(stage, kind)
        if "matrix" in content
    }
    for stage, content in PIPELINE.items():
        for wanted in sorted((by_item - NEVER_EMPTY) & set(content.get("deps", []))):
            kept = f"{wanted}/.gitkeep"
            assert kept in source.tracked(), f"{stage} reads {wanted}: commit {kept}"


def test_dvc_does_not_call_home() -> None:
    config = (source.ROOT / ".dvc/config").read_text()
    assert "analytics = false" in config
    assert "check_update = false" in config


def test_byte_code_does_not_dirty_a_folder_dependency() -> None:
    ignored = (source.ROOT / ".dvcignore").read_text().split()
    assert {"__pycache__/", "reports/host/"} <= set(ignored)
