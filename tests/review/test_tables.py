"""Only what differs is listed, each side's value beside the other's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cxr.review import evidence, tables
from tests.review import cases

ABOUT = {"commit": "a" * 40, "subject": "s", "name": "", "uncommitted": False}


def sides(tmp_path: Path, **changes):
    cases.side(tmp_path / "base", {"small": cases.predictions(0.5)})
    cases.side(tmp_path / "head", {"small": cases.predictions(0.5)}, **changes)
    return [evidence.read(tmp_path / name, ABOUT) for name in ("base", "head")]


def test_parameters_that_differ_stand_side_by_side(tmp_path: Path) -> None:
    found = tables.parameters(*sides(tmp_path, seed=7, epochs=9))
    assert found.changed == [
        ("seed", "1", "7"),
        ("transfer.recipes.small.epochs", "4", "9"),
    ]
    assert found.same == 4  # study, models, datasets, widths


def test_a_whole_new_section_is_one_row(tmp_path: Path) -> None:
    base, head = sides(tmp_path)
    recipe = {f"knob_{i}": [i] * 9 for i in range(9)}
    grown = replace(head, params={**head.params, "prune": recipe})
    (row,) = tables.parameters(base, grown).changed
    assert row[:2] == ("prune", "–") and row[2].endswith("… (9 values)")
    assert tables.parameters(grown, base).changed[0][2] == "–"


def test_of_long_lists_only_what_differs_is_shown(tmp_path: Path) -> None:
    base, head = sides(tmp_path)
    names = [f"a_network_with_a_long_name_{i}" for i in range(9)]
    old, new = ({**side.params, "models": [*names, own]} for side, own in ((base, "x"), (head, "y")))  # fmt: skip
    (row,) = tables.parameters(replace(base, params=old), replace(head, params=new)).changed
    assert row == ("models", '… ["x"]', '… ["y"]')


def test_counts_and_hashes_of_data_are_compared(tmp_path: Path) -> None:
    base, head = sides(tmp_path, images=400)
    hashes = {"base": {"data/raw/toy": "a" * 32}, "head": {"data/raw/toy": "b" * 32}}
    found = tables.data(base, head, hashes)
    assert found.changed == [
        ("images", "300", "400"),
        ("patients", "150", "200"),
        ("hash of data/raw/toy", "aaaaaaaa", "bbbbbbbb"),
    ]
    assert found.same == 4  # images with ill; images, patients and label of the test part


def test_pointers_findings_and_openings_count_as_data(tmp_path: Path) -> None:
    base, head = sides(tmp_path)
    pointer = head.folder / "data/raw/nih.dvc"
    pointer.parent.mkdir(parents=True)
    pointer.write_text("outs:\n- md5: 1234567890.dir\n  path: nih\n")
    (head.folder / "reports/test_openings.csv").write_text("study\nnih\nnih\n")
    changed = tables.data(base, head, {}).changed
    assert ("data/raw/nih.dvc", "–", "12345678") in changed
    assert ("recorded openings of test sets", "–", "2") in changed


def test_costs_that_changed_are_told_with_their_ratio(tmp_path: Path) -> None:
    base, head = sides(tmp_path)
    model = head.models["small"]
    lighter = replace(model, metrics={**model.metrics, "macs": 25_000})
    rows = tables.costs(base.models, {"small": lighter})
    assert rows == [("small: MACs", "50,000", "25,000 (0.50 times)")]
    assert tables.figures_of(base.models["small"], lighter).changed == [
        ("MACs", "50,000", "25,000")
    ]
