"""The scratch folder: one per inputs, settings and code; what is kept there comes back the same."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from cxr import artifacts, scratch


@dataclasses.dataclass(frozen=True)
class Recipe:
    epochs: int
    shares: tuple[float, ...]


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    """A folder with a folder inside, and a file."""
    artifacts.write_text(tmp_path / "prepared" / "index.csv", "image\na\n")
    artifacts.write_text(tmp_path / "prepared" / "deep" / "shard", "pixels")
    artifacts.write_text(tmp_path / "splits.csv", "image,fold_0\na,train\n")
    return [tmp_path / "prepared", tmp_path / "splits.csv"]


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project in the place of ours, so that a test may change its code."""
    artifacts.write_text(tmp_path / "code/cxr/evolution/nsga2.py", "x = 1\n")
    artifacts.write_text(tmp_path / "code/stages/search.py", "y = 1\n")
    artifacts.write_text(tmp_path / "code/numerics.lock", "numpy==1\n")
    monkeypatch.setattr(scratch, "ROOT", tmp_path / "code")
    return tmp_path / "code"


def _folder(tmp_path: Path, inputs: list[Path], settings: Any = None) -> Path:
    return scratch.folder("search", inputs=inputs, settings=settings, root=tmp_path / "scratch")


def test_the_same_work_has_the_same_folder(tmp_path: Path, inputs: list[Path]) -> None:
    found = _folder(tmp_path, inputs, {"b": [1, 0.5], "a": None})
    assert found.is_dir() and found.parent == tmp_path / "scratch" / "search"
    assert len(found.name) == 16
    artifacts.write_text(found / "piece.json", "{}\n")
    assert _folder(tmp_path, inputs, {"a": None, "b": [1, 0.5]}) == found
    assert (found / "piece.json").read_text() == "{}\n"


def test_where_the_inputs_lie_does_not_matter(tmp_path: Path, inputs: list[Path]) -> None:
    found = _folder(tmp_path, inputs)
    moved = [Path(shutil.move(path, tmp_path / f"moved {path.name}")) for path in inputs]
    assert _folder(tmp_path, moved) == found


@pytest.mark.parametrize(
    "change",
    ["content", "name", "another file", "deep content", "file", "order", "settings"],
)
def test_other_work_has_another_folder(tmp_path: Path, inputs: list[Path], change: str) -> None:
    settings = {"seed": 1}
    found = _folder(tmp_path, inputs, settings)
    prepared, splits = inputs
    match change:
        case "content":
            artifacts.write_text(prepared / "index.csv", "image\nb\n")
        case "name":
            (prepared / "index.csv").rename(prepared / "table.csv")
        case "another file":
            artifacts.write_text(prepared / "more", "")
        case "deep content":
            artifacts.write_text(prepared / "deep" / "shard", "Pixels")
        case "file":
            artifacts.write_text(splits, "image,fold_0\na,val\n")
        case "order":
            inputs = [splits, prepared]
        case "settings":
            settings = {"seed": 2}
    assert _folder(tmp_path, inputs, settings) != found


@pytest.mark.parametrize(
    "file", ["cxr/evolution/nsga2.py", "stages/search.py", "numerics.lock", "cxr/new.py"]
)
def test_other_code_has_another_folder(
    tmp_path: Path, inputs: list[Path], code: Path, file: str
) -> None:
    found = _folder(tmp_path, inputs)
    artifacts.write_text(code / "cxr/__pycache__/nsga2.pyc", "byte-code is no code of ours")
    assert _folder(tmp_path, inputs) == found
    artifacts.write_text(code / file, "z = 2\n")
    assert _folder(tmp_path, inputs) != found


def test_settings_may_be_dataclasses(tmp_path: Path) -> None:
    found = _folder(tmp_path, [], {"recipe": Recipe(3, (0.5, 0.25)), "seed": 1})
    plain = {"recipe": {"epochs": 3, "shares": [0.5, 0.25]}, "seed": 1}
    assert _folder(tmp_path, [], plain) == found
    assert _folder(tmp_path, [], {"recipe": Recipe(4, (0.5, 0.25)), "seed": 1}) != found
    with pytest.raises(TypeError, match="dataclass"):
        _folder(tmp_path, [], {"function": print})


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        _folder(tmp_path, [tmp_path / "splits.csv"])
    assert raised.value.filename == str(tmp_path / "splits.csv")


def test_finished_work_leaves_nothing(tmp_path: Path) -> None:
    one, other = (_folder(tmp_path, [], {"run": run}) for run in ("a", "b"))
    artifacts.write_text(one / "records" / "piece.json", "{}\n")
    scratch.finish(one)
    assert not one.exists() and other.is_dir()
    scratch.finish(other)
    assert list((tmp_path / "scratch").iterdir()) == []


def _make() -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    weights = torch.arange(6.0).reshape(2, 3).T / 3
    return {"b": weights, "a": torch.tensor([1, 2])}, {"loss": 1 / 3, "epochs": (1, 2)}


def test_tensors_are_made_once_and_are_the_same_either_way(tmp_path: Path) -> None:
    path = tmp_path / "fold-0.safetensors"
    made, metadata = scratch.tensors(path, _make)
    before = path.stat()
    read, again = scratch.tensors(path, lambda: pytest.fail("made twice"))
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert list(made) == list(read) == ["a", "b"]
    for name in read:
        assert torch.equal(made[name], read[name]) and torch.equal(read[name], _make()[0][name])
        assert made[name].dtype == read[name].dtype and made[name].stride() == read[name].stride()
    assert metadata == again == {"loss": 1 / 3, "epochs": [1, 2]}


@pytest.mark.parametrize("damage", ["cut", "empty", "no metadata"])
def test_damaged_tensors_are_made_again(tmp_path: Path, damage: str) -> None:
    from safetensors.torch import save

    path = tmp_path / "fold-0.safetensors"
    scratch.tensors(path, _make)
    whole = path.read_bytes()
    content = {"cut": whole[:-3], "empty": b"", "no metadata": save({"a": torch.ones(1)})}[damage]
    path.write_bytes(content)
    found, _ = scratch.tensors(path, _make)
    assert sorted(found) == ["a", "b"] and path.read_bytes() == whole


def test_an_interrupted_making_leaves_no_file(tmp_path: Path) -> None:
    def stop() -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scratch.tensors(tmp_path / "fold-0.safetensors", stop)
    assert list(tmp_path.iterdir()) == []
