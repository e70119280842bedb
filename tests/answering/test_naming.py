"""A model's name is a path, or what flows.models makes of it; its complaints come through."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxr.answering import naming
from tests.conftest import ROOT


def test_a_path_is_taken_as_it_is(folder: Path) -> None:
    assert naming.find(str(folder)) == folder
    assert naming.find(str(folder / "fold-0.onnx")) == folder / "fold-0.onnx"


@pytest.mark.parametrize("name", ["./nothing", "/nothing", "nothing.onnx"])
def test_what_must_be_a_path_is_asked_of_nobody(name: str) -> None:
    with pytest.raises(ValueError, match=r"nothing(\.onnx)? is missing: name a folder"):
        naming.find(name)


def test_other_names_are_asked_of_flows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(ValueError, match=r"^'no such model' is no path and no model: known are"):
        naming.find("no such model")
    with pytest.raises(ValueError, match=r"^unknown study 'nothing': known are .*phantom"):
        naming.find("study:nothing")
    assert isinstance(naming.ask("list"), list)
