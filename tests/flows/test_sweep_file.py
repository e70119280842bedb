"""What a sweep's file may say: every choice once, under a name that its words alone decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import sweep_file

GRID = """\
about: words
study: phantom
grid:
  seed: [1, 2]
  image:
    small: {preprocess.steps: [{name: resize, size_px: 64}], transfer.recipes.a.batch_size: 8}
    large: {preprocess.steps: [{name: resize, size_px: 96}]}
list:
  - {seed: 1, study: other}
"""


def write(folder: Path, text: str, name: str = "sweep.yaml") -> Path:
    path = folder / "phantom" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def combinations(folder: Path, text: str) -> list[sweep_file.Combination]:
    return sweep_file.combinations(sweep_file.read(write(folder, text)))


def test_the_grid_is_every_choice_with_every_other_and_the_list_stands_beside_it(tmp_path: Path) -> None:  # fmt: skip
    found = combinations(tmp_path, GRID)
    assert [dict(one.labels) for one in found] == [
        {"seed": "1", "image": "small"}, {"seed": "1", "image": "large"},
        {"seed": "2", "image": "small"}, {"seed": "2", "image": "large"},
        {"seed": "1", "study": "other"},
    ]  # fmt: skip
    assert found[0].wanted.study == "phantom"
    assert found[0].wanted.overrides == {
        "seed": 1,
        "preprocess.steps": [{"name": "resize", "size_px": 64}],
        "transfer.recipes.a.batch_size": 8,
    }
    assert (found[4].wanted.study, found[4].wanted.overrides) == ("other", {"seed": 1})
    assert len({one.name for one in found}) == 5


def test_a_name_is_of_what_is_set_not_of_where_it_stands(tmp_path: Path) -> None:
    (one,) = combinations(tmp_path, "study: a\nlist: [{seed: 1, models: [x]}]")
    (other,) = combinations(tmp_path, "study: a\ngrid: {models: [[x]], it: {one: {seed: 1}}}")
    assert one.name == other.name and len(one.name) == sweep_file.DIGITS
    for text in ("study: b\nlist: [{seed: 1, models: [x]}]", "study: a\nlist: [{seed: 1.0, models: [x]}]"):  # fmt: skip
        assert combinations(tmp_path, text)[0].name != one.name


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("study: a", "neither grid nor list"),
        ("grid: {seed: [1]}", "study: Field required"),
        ("study: A b\ngrid: {seed: [1]}", "study: String should match"),
        ("study: a\ngrid: {seed: []}", "grid.seed is empty"),
        ("study: a\ngrid: {seed: 5}", "grid.seed: Input should be a valid list"),
        ("study: a\ngird: {seed: [1]}", "gird: Extra inputs"),
        ("study: a\ngrid: {seed: [1, 1]}", "seed 1: asked for twice"),
        ("study: a\ngrid: {seed: [1], it: {x: {seed: 2}}}", "seed is set twice"),
        (
            "study: a\nlist: [{split: {}, split-x: 1, split.folds: 3}]",
            "split.folds is set twice, by split",
        ),
        ("study: a\ngrid: {study: [3]}", "study: Input should be a valid string"),
        ("study: a\ngrid: {seed: [.nan]}", "not every number is finite"),
        ("study: a\ngrid: {seed: [2026-01-01]}", "grid.seed"),
        ("study: [a", "not valid YAML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        combinations(tmp_path, text)
    assert fault in str(error.value)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"seed 1: asked for twice.*\nseed 2: asked for twice"):
        combinations(tmp_path, "study: a\ngrid: {seed: [1, 1, 2, 2]}")


def test_a_slip_that_asks_for_too_much_is_refused(tmp_path: Path) -> None:
    numbers = f"[{', '.join(map(str, range(40)))}]"
    with pytest.raises(ValueError, match="more than 1000 combinations"):
        combinations(tmp_path, f"study: a\ngrid: {{seed: {numbers}, x: {numbers}}}")


def test_a_sweep_is_called_by_its_folder_or_its_file(tmp_path: Path) -> None:
    assert sweep_file.name_of(write(tmp_path, GRID)) == "phantom"
    assert sweep_file.name_of(write(tmp_path, GRID, "seeds-2.yaml")) == "seeds-2"
    with pytest.raises(ValueError, match="would be called 'My sweep'"):
        sweep_file.name_of(tmp_path / "My sweep.yaml")
    with pytest.raises(ValueError, match="is missing"):
        sweep_file.read(tmp_path / "nowhere.yaml")
