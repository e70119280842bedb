"""params.yaml is complete, and a key too many, too few or of another type is told by its name."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from cxr import params
from flows import study
from stages import __main__ as preflight
from tests.house import source

TREE = params.read_yaml(source.ROOT / "params.yaml")
STUDIES = sorted(path.parent.name for path in (source.ROOT / "studies").glob("*/study.yaml"))
FREE = ("merge.labels", "validate.accepted")  # tables whose keys the study chooses


def _mappings(node: Any, where: str = "") -> Iterator[str]:
    """The dotted places of every mapping with fixed keys."""
    if isinstance(node, dict):
        if where and where not in FREE and not where.endswith(("recipes", "backbone_options")):
            yield where
        for name, child in node.items():
            yield from _mappings(child, f"{where}.{name}".strip("."))


def _parent(tree: dict[str, Any], place: str) -> dict[str, Any]:
    for word in place.split("."):
        tree = tree[word]
    return tree


def _words(tree: dict[str, Any]) -> str:
    return "\n".join([*preflight._form(tree), *preflight._plugins(tree)])


SECTIONS = list(_mappings(TREE))


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_fits_the_stages(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source.ROOT)
    assert _words(study.compose(name)) == ""


def test_params_yaml_is_what_its_study_composes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source.ROOT)
    written = (source.ROOT / "params.yaml").read_text(encoding="utf-8")
    assert written == study.text(TREE["study"]), f"run `make study STUDY={TREE['study']}`"


def test_there_are_sections_to_check() -> None:
    assert {"phantom", "split", "preprocess"} <= set(SECTIONS)
    for table in ("search", "transfer", "prune", "finish"):
        assert {table, *(f"{table}.recipes.{run}" for run in TREE[table]["recipes"])} <= set(
            SECTIONS
        )


@pytest.mark.parametrize("place", SECTIONS)
def test_an_unknown_key_is_told(place: str) -> None:
    tree = copy.deepcopy(TREE)
    _parent(tree, place)["colour"] = 1
    assert "colour" in _words(tree)


@pytest.mark.parametrize("place", SECTIONS)
def test_a_missing_key_is_told(place: str) -> None:
    for name in _parent(TREE, place):
        tree = copy.deepcopy(TREE)
        del _parent(tree, place)[name]
        assert str(name) in _words(tree), f"{place}.{name} can be left out unnoticed"


@pytest.mark.parametrize("place", SECTIONS)
def test_a_wrong_type_is_told(place: str) -> None:
    for name in _parent(TREE, place):
        if f"{place}.{name}" in FREE:
            continue
        tree = copy.deepcopy(TREE)
        _parent(tree, place)[name] = [[object]]
        assert str(name) in _words(tree), f"{place}.{name} takes anything"


@pytest.mark.parametrize("section", sorted(set(TREE) - {"study", "seed"}))
def test_a_missing_section_is_told(section: str) -> None:
    tree = copy.deepcopy(TREE)
    del tree[section]
    assert section in _words(tree)


def test_an_unknown_section_is_told() -> None:
    assert "section colour is unknown" in _words({**TREE, "colour": {}})


def test_every_parameter_of_a_stage_has_a_word_of_meaning() -> None:
    """One docstring line under each field: `--help` shows it."""
    import ast

    for file in source.modules("stages"):
        for node in source.tree(file).body:
            if not (isinstance(node, ast.ClassDef) and node.name == "Params"):
                continue
            body = node.body[1:] if isinstance(node.body[0], ast.Expr) else node.body
            for place, item in enumerate(body):
                if isinstance(item, ast.AnnAssign):
                    after = body[place + 1] if place + 1 < len(body) else None
                    name = f"{file}: Params.{ast.unparse(item.target)}"
                    assert isinstance(after, ast.Expr), f"{name} has no word of meaning under it"
                    assert item.value is None, f"{name} has a default: values live in params.yaml"
