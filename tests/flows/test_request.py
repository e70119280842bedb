"""What a run may be asked for, and what is refused before anything runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from flows import request, study
from flows.request import Wanted
from tests.flows import toy

TREE = {"seed": 7, "transfer": {"runs": ["left"], "recipes": {"left": {"epochs": 2}}}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"revison": "main"},
        {"revision": "--upload-pack=x"},
        {"revision": "a b"},
        {"study": "../toy"},
        {"study": "Toy"},
        {"overrides": {"seed": object()}},
        {"overrides": [1]},
        {"base": ""},
    ],
)
def test_what_the_schema_forbids_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Wanted.model_validate(wrong)


def test_a_run_without_wishes_is_of_this_checkout() -> None:
    assert not Wanted().elsewhere()
    assert not Wanted(base="HEAD~3").elsewhere()
    for words in ({"revision": "v1"}, {"study": "toy"}, {"overrides": {"seed": 1}}):
        assert Wanted.model_validate(words).elsewhere()


def test_parameters_are_replaced_in_a_copy() -> None:
    changed = request.overridden(
        TREE, {"seed": 8, "transfer.recipes.left.epochs": 5, "transfer.runs": ["left", "right"]}
    )
    assert changed["seed"] == 8
    assert changed["transfer"] == {"runs": ["left", "right"], "recipes": {"left": {"epochs": 5}}}
    assert TREE["seed"] == 7


def test_every_fault_is_listed_with_what_is_known() -> None:
    with pytest.raises(ValueError) as refused:
        request.overridden(
            TREE,
            {
                "sed": 1,
                "transfer.recipes.right.epochs": 1,
                "transfer": 3,
                "seed": {"a": 1},
                "transfer.runs.0": "x",
            },
        )
    assert str(refused.value).splitlines() == [
        "overrides: sed is unknown: known there are seed, transfer",
        "overrides: transfer.recipes.right.epochs is unknown: known there are none",
        "overrides: transfer must be a mapping, not 3",
        "overrides: seed must be no mapping, not {a: 1}",
        "overrides: transfer.runs.0 is unknown: known there are none",
    ]


def test_parameters_are_written_in_the_canonical_form(tmp_path: Path) -> None:
    root = toy.make(tmp_path / "toy")
    path = root / study.PARAMS_FILE
    whole = path.read_text()
    wanted = Wanted(study="toy", overrides={"transfer.recipes.right.epochs": 4})
    path.write_text("seed: 1\n")
    request.write(wanted, root, Path(sys.executable))
    assert path.read_text() == whole.replace("right: {epochs: 3}", "right: {epochs: 4}")
    assert path.read_text() != whole


def test_an_unknown_study_is_named(tmp_path: Path) -> None:
    root = toy.make(tmp_path / "toy")
    with pytest.raises(ValueError, match="unknown study 'tie': known are toy"):
        request.write(Wanted(study="tie"), root, Path(sys.executable))
