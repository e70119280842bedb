"""The reader of the code sees what the rules rest on: a rule whose eyes are shut never fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import source

STAGE = '''"""A stage."""
from typing import TYPE_CHECKING
import cxr.upper.inner as inner
if TYPE_CHECKING:
    from cxr import typed

def main() -> None:
    from cxr import late, params, plugins
    plugins.load("readers", params.value(f"ingest.{inner}.name"))
    params.load(dict, "toy")
    params.seed()
'''
FILES = {
    "stages/__init__.py": '"""Pins."""\nfrom cxr import pins\n',
    "stages/toy.py": STAGE,
    "cxr/__init__.py": '"""Only words."""\n',
    "cxr/pins.py": "x = 1\n",
    "cxr/typed.py": "x = 1\n",
    "cxr/late.py": "from cxr.upper import function\n",
    "cxr/params.py": "x = 1\n",
    "cxr/plugins.py": "x = 1\n",
    "cxr/unused.py": "x = 1\n",
    "cxr/upper/__init__.py": "def function(): ...\n",
    "cxr/upper/inner.py": "from . import sibling\n",
    "cxr/upper/sibling.py": "x = 1\n",
    "cxr/upper/style.css": "",
    "cxr/upper/other.py": "x = 1\n",
    "cxr/readers/__init__.py": '"""Only words."""\n',
    "cxr/readers/_base.py": "x = 1\n",
    "cxr/readers/one.py": "from cxr import behind\n",
    "cxr/behind.py": "x = 1\n",
}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A project of its own with one stage; the caches are those of no other."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(source, "ROOT", tmp_path)
    monkeypatch.setattr(source, "tracked", lambda: tuple(sorted(FILES)))
    for name in ("tree", "imported", "closure"):
        monkeypatch.setattr(source, name, getattr(source, name).__wrapped__)
    return "stages/toy.py"


def test_closure_holds_all_that_can_change_a_byte_and_nothing_else(toy: str) -> None:
    """Imports in functions and of packages, plug-ins and what they import, files beside; not typing's."""
    left_out = {"cxr/__init__.py", "cxr/typed.py", "cxr/unused.py", "cxr/upper/other.py"}
    assert source.closure(toy) == set(FILES) - left_out - {"cxr/readers/__init__.py"}


def test_sections_are_read_with_a_star_for_names(toy: str) -> None:
    assert source.asked_params(toy) == {"seed", "toy", "ingest.*.name"}


def test_plugin_folders_are_seen(toy: str) -> None:
    assert source.plugin_folders(toy) == {"cxr/readers"}
