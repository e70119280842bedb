"""A model's files are taken whole and unchanged, or refused by name with the cure."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cxr.answering import files
from tests.answering import exported


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "toy"))


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def edit(folder: Path, change: Callable[[dict], object]) -> None:
    path = folder / "metadata.json"
    about = json.loads(path.read_text())
    change(about)
    path.write_text(json.dumps(about))


def test_a_folder_and_a_file_alone_say_the_same(folder: Path) -> None:
    whole, alone = files.read(folder), files.read(folder / "fold-0.onnx")
    assert whole.networks == alone.networks and whole.threshold == alone.threshold == 1.0
    for key in ("labels", "card", "preprocessing", "size_px"):
        assert whole.about[key] == alone.about[key]
    texts = [(folder / name).read_bytes() for name in ("metadata.json", "fold-0.onnx")]
    hashes = [hashlib.sha256(text).hexdigest() for text in texts]
    assert [whole.version_sha256, alone.version_sha256] == hashes


@pytest.mark.parametrize("place", [100, -100, 20_000])
def test_one_flipped_bit_is_found(copy: Path, place: int) -> None:
    flip(copy / "fold-0.onnx", place)
    with pytest.raises(
        ValueError, match=r"toy/fold-0\.onnx was changed: its sha256 is .* export it anew"
    ):
        files.read(copy)
    with pytest.raises(ValueError, match=r"fold-0\.onnx (was changed|has no seal|says nothing)"):
        files.read(copy / "fold-0.onnx")


@pytest.mark.parametrize(
    "field", ["model", "labels", "loss", "size_px", "preprocessing", "card", "strangeness", "files"]
)
def test_a_field_that_is_missing_or_of_another_kind_is_named(copy: Path, field: str) -> None:
    edit(copy, lambda about: about.update({field: True}))
    with pytest.raises(ValueError, match=rf"toy/metadata\.json: '{field}' can't be True: get the"):
        files.read(copy)
    edit(copy, lambda about: about.pop(field))
    with pytest.raises(
        ValueError, match=rf"toy/metadata\.json lacks '{field}': .* older than this"
    ):
        files.read(copy)


@pytest.mark.parametrize("field", ["data_sets", "split", "notice"])
def test_a_field_of_the_card_is_named(copy: Path, field: str) -> None:
    edit(copy, lambda about: about["card"].pop(field))
    with pytest.raises(ValueError, match=rf"metadata\.json: card lacks '{field}'"):
        files.read(copy)


@pytest.mark.parametrize(("field", "other"), [("labels", ["c", "b", "a"]), ("preprocessing", [])])
def test_metadata_that_were_changed_are_held_against_the_file(copy: Path, field: str, other: list) -> None:  # fmt: skip
    edit(copy, lambda about: about.update({field: other}))
    with pytest.raises(ValueError, match=rf"metadata\.json was changed: it says {field} .* itself"):
        files.read(copy)


def test_what_is_not_there_or_no_model_is_refused(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere is missing: name a folder"):
        files.read(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"metadata\.json is missing: .* is no exported model"):
        files.read(tmp_path)
    (tmp_path / "odd.onnx").write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"odd\.onnx has no seal"):
        files.read(tmp_path / "odd.onnx")
    (tmp_path / "odd.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match=r"odd\.onnx has 0 bytes"):
        files.read(tmp_path / "odd.onnx")
    (copy / "metadata.json").write_text("{")
    with pytest.raises(ValueError, match=r"metadata\.json is no JSON"):
        files.read(copy)
    shutil.copy2(exported_file(copy), copy / "metadata.json")
    with pytest.raises(ValueError, match=r"metadata\.json is no JSON"):
        files.read(copy)


def exported_file(folder: Path) -> Path:
    return folder / "fold-0.onnx"


def test_a_missing_network_is_named(copy: Path) -> None:
    (copy / "fold-0.onnx").unlink()
    with pytest.raises(ValueError, match=r"toy/fold-0\.onnx is missing: get the model again"):
        files.read(copy)


def test_folds_tested_in_turn_answer_one_by_one_and_those_held_out_together(tmp_path: Path) -> None:
    turns = exported.make(tmp_path / "turns", folds=3)
    found = files.read(turns)
    assert list(found.networks) == ["fold-0.onnx"] and found.which == "fold 0 of its 3 networks"
    assert list(files.read(turns, fold=2).networks) == ["fold-2.onnx"]
    with pytest.raises(ValueError, match=r"there is no fold 3: known are 0, 1, 2"):
        files.read(turns, fold=3)
    with pytest.raises(ValueError, match=r"one network: a fold can be chosen of a folder alone"):
        files.read(turns / "fold-0.onnx", fold=0)
    together = exported.make(tmp_path / "together", folds=2, test="held_out")
    found = files.read(together)
    assert list(found.networks) == ["fold-0.onnx", "fold-1.onnx"]
    assert found.which == "the mean of its 2 networks"
    assert list(files.read(together, fold=1).networks) == ["fold-1.onnx"]
