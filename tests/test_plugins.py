"""A folder's listing is its registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxr import plugins


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library with the folder `shapes`: two plug-ins and a file of the folder's own."""
    folder = tmp_path / "shapes"
    folder.mkdir()
    for name in ("square.py", "circle.py", "_base.py", "__init__.py", "notes.txt"):
        (folder / name).write_text('"""Nothing."""\n')
    monkeypatch.setattr(plugins, "_ROOT", tmp_path)
    return folder


def test_names_are_the_files_sorted_without_the_folders_own(library: Path) -> None:
    assert plugins.names("shapes") == ["circle", "square"]


def test_a_new_file_is_known_at_once(library: Path) -> None:
    (library / "ellipse.py").write_text("")
    assert plugins.names("shapes") == ["circle", "ellipse", "square"]


@pytest.mark.parametrize("name", ["oval", "_base", "__init__", "../square", "", "notes"])
def test_an_unknown_name_lists_the_known_ones(library: Path, name: str) -> None:
    with pytest.raises(
        ValueError, match=r"unknown shapes .*: known are circle, square; to add one"
    ):
        plugins.load("shapes", name)


def test_an_empty_folder_says_none(library: Path) -> None:
    with pytest.raises(ValueError, match="known are none"):
        plugins.check("colours", "red")


def test_load_imports_the_module_of_that_name() -> None:
    assert plugins.load("preprocessing", "resize").__name__ == "cxr.preprocessing.resize"
