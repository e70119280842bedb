"""Every changed stage is told with its own cause, or with the stages whose change came down to it."""

from __future__ import annotations

import copy
from typing import Any

from flows import changes
from flows.sides import Side


def entry(deps: dict[str, str], outs: dict[str, str], **parameters: Any) -> dict[str, Any]:
    return {
        "cmd": "python -m stages.x",
        "deps": [{"path": path, "md5": md5} for path, md5 in deps.items()],
        "params": {"params.yaml": parameters},
        "outs": [{"path": path, "md5": md5} for path, md5 in outs.items()],
    }


PARAMS = {"seed": 1, "fit": {"epochs": 4}, "runs": ["a"]}
BASE = Side(
    entries={
        "make": entry({"stages/make.py": "m"}, {"data/raw/toy": "r"}, seed=1),
        "split": entry({"stages/split.py": "s", "data/raw/toy": "r"}, {"data/splits.csv": "d"}),
        "fit@a": entry(
            {"numerics.lock": "n", "cxr/nets": "c", "data/splits.csv": "d", "data/raw/own": "o"},
            {"data/models/a": "w", "reports/fit/a/metrics.json": "j"}, fit={"epochs": 4},
        ),
        "compare": entry({"reports/fit": "f"}, {"reports/index.html": "i"}),
    },
    declared={"make": {}, "split": {}, "fit": {"matrix": {"run": "${runs}"}}, "compare": {}},
    params=PARAMS,
)  # fmt: skip


def moved(*ways: tuple[str, str, str, str], params: Any = None) -> Side:
    """The base with other hashes: (stage, "deps" or "outs", path, hash)."""
    entries = copy.deepcopy(dict(BASE.entries))
    for stage, key, path, md5 in ways:
        (item,) = [item for item in entries[stage][key] if item["path"] == path]
        item["md5"] = md5
    return Side(entries=entries, declared=BASE.declared, params=params or PARAMS)


def compare(head: Side, base: Side = BASE, **options: Any) -> dict[str, changes.Change]:
    return {change.stage: change for change in changes.compare(base, head, **options)}


def told(change: changes.Change) -> list[tuple[str, str]]:
    return [(cause.kind, cause.words) for cause in change.direct]


def test_the_same_lock_file_has_no_change() -> None:
    assert compare(moved()) == {}


def test_a_change_of_code_is_direct_where_it_is_read_and_inherited_below() -> None:
    head = moved(
        ("split", "deps", "stages/split.py", "S"), ("split", "outs", "data/splits.csv", "D"),
        ("fit@a", "deps", "data/splits.csv", "D"), ("fit@a", "outs", "reports/fit/a/metrics.json", "J"),
        ("compare", "deps", "reports/fit", "F"),
    )  # fmt: skip
    found = compare(head)
    assert list(found) == ["split", "fit@a", "compare"]
    assert told(found["split"]) == [("code", "stages/split.py")]
    assert (found["fit@a"].direct, found["fit@a"].after) == ([], ["split"])
    # compare reads a folder; what changed in it was written by fit, whose cause is split's
    assert (found["compare"].direct, found["compare"].upstream) == ([], ["fit@a"])
    assert found["compare"].after == ["split"]
    assert found["split"].outputs == ["data/splits.csv"] and found["compare"].outputs == []


def test_data_versions_and_files_of_a_folder_are_told_apart() -> None:
    head = moved(
        ("fit@a", "deps", "data/raw/own", "O"),
        ("fit@a", "deps", "numerics.lock", "N"),
        ("fit@a", "deps", "cxr/nets", "C"),
    )
    files = ["cxr/nets/two.py", "cxr/nets/one.py", "README.md"]
    (change,) = compare(head, files=files).values()
    assert told(change) == [
        ("versions", "numerics.lock"),
        ("code", "cxr/nets (one.py, two.py)"),
        ("data", "data/raw/own holds other data (o → O)"),
    ]


def test_a_parameter_is_told_with_both_values_and_a_list_with_what_came_and_went() -> None:
    base, head = moved(), moved()
    base.entries["fit@a"]["params"] = {"params.yaml": {"fit": {"epochs": 4}, "runs": ["a", "b"]}}
    head.entries["fit@a"]["params"] = {"params.yaml": {"fit": {"epochs": 8}, "runs": ["a", "c"]}}
    (change,) = compare(head, base).values()
    assert told(change) == [
        ("parameter", "fit.epochs: 4 → 8"),
        ("parameter", 'runs: with "c", without "b"'),
    ]


def test_a_parameter_that_a_stage_only_now_depends_on_is_the_pipelines_change() -> None:
    head = moved()
    head.entries["split"]["params"] = {"params.yaml": {"seed": 1, "new": 2}}
    (change,) = compare(head).values()
    assert told(change) == [
        ("pipeline", "seed is now among its parameters"),
        ("parameter", "new: not there → 2"),
    ]


def test_a_dependency_that_came_or_went_is_told() -> None:
    head = moved()
    head.entries["compare"]["deps"] = [{"path": "cxr/report", "md5": "p"}]
    (change,) = compare(head).values()
    assert told(change) == [
        ("code", "cxr/report is now among what it reads"),
        ("pipeline", "reports/fit is no longer among what it reads"),
    ]


def test_a_new_item_of_a_matrix_is_told_by_its_list_and_a_new_stage_by_dvc_yaml() -> None:
    head = moved(params={**PARAMS, "runs": ["a", "b"]})
    head.entries["fit@b"] = entry({}, {"data/models/b": "b"})
    head.entries["extra"] = entry({}, {"data/extra": "x"})
    head = Side(entries=head.entries, declared={**BASE.declared, "extra": {}}, params=head.params)
    found = compare(head)
    assert [found[name].kind for name in ("fit@b", "extra")] == ["new", "new"]
    assert told(found["fit@b"]) == [("parameter", 'runs: with "b"')]
    assert told(found["extra"]) == [("pipeline", "dvc.yaml has it now")]
    back = {change.stage: change for change in changes.compare(head, BASE)}
    assert [back[name].kind for name in ("fit@b", "extra")] == ["gone", "gone"]


def test_other_outputs_of_the_same_inputs_have_no_cause_that_can_be_found() -> None:
    head = moved(("split", "outs", "data/splits.csv", "D"), ("fit@a", "deps", "data/splits.csv", "D"))  # fmt: skip
    found = compare(head)
    assert told(found["split"]) == [
        ("unexplained", "reads what it read before and wrote something else: run `make verify`")
    ]
    assert found["fit@a"].after == ["split"]


def test_an_input_that_no_stage_wrote_so_is_unexplained() -> None:
    (change,) = compare(moved(("fit@a", "deps", "data/splits.csv", "D"))).values()
    assert told(change) == [
        (
            "unexplained",
            "data/splits.csv is another, though the stage that writes it wrote the same",
        )
    ]
