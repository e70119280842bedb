"""A model prepares as the pipeline does, scores as PyTorch does, and says what it does not answer."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxr import answering, archives, images
from cxr.answering import files
from cxr.preprocessing import _chain
from cxr.training import models
from tests.answering import exported

FULLSIZE = Path(os.environ.get("CXR_REAL_DATA", "")) / "fullsize"


def kinds(image: np.ndarray) -> dict[str, bytes]:
    """Return an image (H, W) as files of several kinds."""
    alpha = np.dstack([image, image, image, np.full_like(image, 7)])
    return {
        "grey.png": exported.png(image),
        "deep.png": exported.png(image.astype(np.uint16) * 257),
        "alpha.png": exported.png(alpha),
        "grey.jpg": cv2.imencode(".jpg", image)[1].tobytes(),
        "colour.bmp": cv2.imencode(".bmp", alpha[..., :3])[1].tobytes(),
    }


def test_what_it_is_stands_in_its_files(model: answering.Model) -> None:
    assert (model.name, model.labels, model.size_px) == ("toy", ("a", "b", "c"), 32)
    assert model.one_label and not model.phantom and not model.calibrated and model.has_maps
    assert model.card["data_sets"] == ["hospital"] and len(model.version_sha256) == 64


@pytest.mark.parametrize("kind", kinds(np.zeros((8, 8), np.uint8)))
def test_inputs_are_the_pipelines_to_the_byte(
    tmp_path: Path, model: answering.Model, kind: str
) -> None:
    content = kinds(exported.chests()[0][:, :80])[kind]
    (tmp_path / kind).write_bytes(content)
    chain = _chain.build(exported.STEPS, where="steps")
    item = (tmp_path, kind, hashlib.sha256(content).hexdigest(), chain)
    assert np.array_equal(model.prepare(content, kind), _chain.prepare(item))


@pytest.mark.skipif(not FULLSIZE.is_dir(), reason="CXR_REAL_DATA names no folder with fullsize")
def test_every_real_file_is_read_and_dark_is_air(model: answering.Model) -> None:
    """DICOM of MONOCHROME1 and 2, JPEG and JPEG 2000 inside, 16 bits, alpha: lungs and air are dark in all."""
    names = [name for name in archives.members(FULLSIZE) if images.is_image(name)]
    assert len(names) == 13
    for name in names:
        picture = model.prepare(archives.read(FULLSIZE, name), name)
        inside = picture[8:24]
        lungs, middle = inside[:, [7, 8, 9, 22, 23, 24]].mean(), inside[:, 14:18].mean()
        assert (lungs < middle) == (name != "Fake_MONOHR1.dcm"), (
            name
        )  # that one is no X-ray's negative
    with pytest.raises(ValueError, match=r"half\.dcm"):
        model.prepare(archives.read(FULLSIZE, "RG1_J2KI.dcm")[:50_000], "half.dcm")


def test_outputs_are_pytorchs(model: answering.Model) -> None:
    pictures = exported.prepared()
    found = model.answer(pictures)
    assert (
        np.abs(found.probabilities - models.predict_once(exported.member(), pictures)).max() <= 1e-5
    )
    assert found.probabilities.dtype == found.strangeness.dtype == np.float32
    assert found.strangeness.shape == (80,) and found.maps is not None
    assert found.maps.shape == (80, 3, 4, 4)
    one = model.answer(pictures[5:6])
    assert np.allclose(one.probabilities[0], found.probabilities[5], atol=1e-6)
    for wrong, shape in ((exported.chests(), r"\(80, 96, 96\)"), (pictures[:0], r"\(0, 32, 32\)")):
        words = rf"pictures are uint8 {shape}, expected at least one as uint8 \(N, 32, 32\)"
        with pytest.raises(ValueError, match=words):
            model.answer(wrong)


def test_several_networks_answer_by_their_mean(tmp_path: Path) -> None:
    folder = exported.make(tmp_path / "both", folds=2, test="held_out")
    pictures = exported.prepared()[:4]
    one, other = (answering.open_model(folder, fold=fold).answer(pictures) for fold in (0, 1))
    both = answering.open_model(folder).answer(pictures)
    assert np.allclose(both.probabilities, (one.probabilities + other.probabilities) / 2, atol=1e-6)
    assert np.abs(one.probabilities - other.probabilities).max() > 0.01
    assert both.maps is not None and one.maps is not None
    assert np.allclose(both.maps, one.maps, atol=1e-4)  # their bias alone differs


def test_held_out_chests_are_answered_and_others_are_not(model: answering.Model) -> None:
    held_out = exported.prepared()[60:]
    assert _refused(model, held_out) <= 0.25  # of 20
    assert _refused(model, 255 - held_out) >= 0.95
    assert _refused(model, np.ascontiguousarray(held_out[:, ::-1])) >= 0.95
    assert (
        model.refusal(np.zeros((32, 32), np.uint8), 0.0) == "the picture is blank: one grey value"
    )
    assert "strangeness 1.50, at most 1" in str(model.refusal(held_out[0], 1.5))
    assert model.refusal(held_out[0], 1.0) is None
    assert "strangeness nan" in str(model.refusal(held_out[0], float("nan")))


def _refused(model: answering.Model, pictures: np.ndarray) -> float:
    strange = model.answer(pictures).strangeness
    said = [model.refusal(x, float(s)) for x, s in zip(pictures, strange, strict=True)]
    return sum(words is not None for words in said) / len(said)


def test_a_model_of_phantoms_says_so_and_answers_as_a_demonstration_only(tmp_path: Path) -> None:
    drawn = answering.open_model(exported.make(tmp_path / "drawn", data_sets=("phantom",)))
    picture = exported.prepared()[0]
    assert drawn.phantom and "of no patient" in drawn.notice
    assert "as a demonstration only (--demo)" in str(drawn.refusal(picture, 0.0))
    assert drawn.refusal(picture, 0.0, demo=True) is None
    mixed = answering.open_model(
        exported.make(tmp_path / "mixed", data_sets=("phantom", "hospital"))
    )
    assert not mixed.phantom and mixed.refusal(picture, 2.0, demo=True) is not None


def test_a_file_that_is_sealed_but_no_network_is_refused(folder: Path) -> None:
    given = files.read(folder)
    for networks, words in (
        ({"fold-0.onnx": b"nothing"}, r"x \(fold-0\.onnx\) can't be run"),
        (given.networks, r"gives probabilities of the shape \(3,\), expected \(2,\)"),
    ):
        about = {**given.about, "labels": ["a", "b"]}
        wrong = files.Files(
            about=about, networks=networks, version_sha256="", threshold=1, which=""
        )
        with pytest.raises(ValueError, match=words):
            answering.model.Model(wrong, where="x", threads=1)


def test_a_picture_of_another_side_than_the_network_takes_is_told(folder: Path) -> None:
    given = files.read(folder)
    about = {**given.about, "preprocessing": [{"name": "resize", "size_px": 64, "fit": "pad"}]}
    wrong = files.Files(about=about, networks=given.networks, version_sha256="", threshold=1, which="")  # fmt: skip
    with pytest.raises(ValueError, match=r"p came out as \(64, 64\), the network takes 32 px"):
        answering.model.Model(wrong, where="x", threads=1).prepare(exported.png(exported.chests()[0]), "p")  # fmt: skip
