"""Many files: each has its answer, in order; what can't be read is told and stops nobody."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxr import answering
from cxr.answering import pictures, predicting
from tests.answering import exported


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Six chests, one inverted, one broken file, one that is no picture though it has no ending."""
    place = tmp_path / "pictures"
    place.mkdir()
    for number, image in enumerate(exported.chests()[60:66]):
        (place / f"{number}.png").write_bytes(exported.png(image))
    (place / "6.png").write_bytes(exported.png(255 - exported.chests()[60]))
    (place / "7.png").write_bytes(exported.png(exported.chests()[60])[:500])
    (place / "README").write_bytes(b"words")
    return place


def asked(folder: Path, **changes) -> predicting.Asked:
    usual = {"model": folder, "fold": None, "demo": False, "overlays": None}
    return predicting.Asked(**{**usual, **changes})


def test_each_file_has_its_answer(folder: Path, model: answering.Model, place: Path) -> None:
    found = list(predicting.answers(asked(folder), pictures.listed(place), model))
    assert [Path(one.file).name for one in found] == [f"{number}.png" for number in range(8)]
    said = model.answer(np.stack([model.prepare(exported.png(x), "x") for x in exported.chests()[60:66]]))  # fmt: skip
    for place_, one in enumerate(found[:6]):
        assert one.error is None and one.strangeness == pytest.approx(
            said.strangeness[place_], abs=1e-4
        )
        if one.refused is None:
            assert one.probabilities == pytest.approx(dict(zip("abc", said.probabilities[place_], strict=True)), abs=1e-5)  # fmt: skip
    assert sum(one.refused is None for one in found[:6]) >= 4
    assert found[6].refused and found[6].probabilities is None and found[6].error is None
    assert "7.png is damaged" in str(found[7].error) and found[7].strangeness is None
    assert all(one.version_sha256 == model.version_sha256 for one in found)
    told = json.loads(json.dumps(found[0].as_dict()))
    assert told["file"] == found[0].file and set(told) == {
        "file", "probabilities", "refused", "strangeness", "error", "model", "version_sha256", "notice",
    }  # fmt: skip


def test_many_in_processes_of_their_own_are_answered_alike(
    tmp_path: Path,
    folder: Path,
    model: answering.Model,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CXR_WORKERS", "2")
    many = pictures.listed(place) * 9  # 81, more than a few
    found = list(predicting.answers(asked(folder), many, model))
    few = list(predicting.answers(asked(folder), many[:9], model))
    assert len(found) == 9 * len(few) > predicting.FEW
    assert [one.file for one in found] == [one.file for one in few] * 9
    for one, other in zip(found, few * 9, strict=True):
        assert (one.refused is None, one.error) == (other.refused is None, other.error)
        assert one.strangeness == pytest.approx(other.strangeness, abs=1e-3)


def test_an_overlay_for_each_answer_and_none_for_a_refusal(
    tmp_path: Path, folder: Path, model: answering.Model, place: Path
) -> None:
    (tmp_path / "drawn").mkdir()
    found = list(predicting.answers(asked(folder, overlays=tmp_path / "drawn"), pictures.listed(place), model))  # fmt: skip
    files = sorted((tmp_path / "drawn").iterdir())
    answered = [one for one in found if one.probabilities]
    assert len(files) == len(answered)
    for path, one in zip(files, answered, strict=True):
        best = max(one.probabilities, key=one.probabilities.get)
        assert path.name.endswith(f"-{Path(one.file).name}-{best}.png")
        assert cv2.imread(str(path)).shape == (320, 320, 3)
