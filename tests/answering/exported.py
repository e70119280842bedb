"""A small exported model for the tests of answering: networks that nobody trained, files as export writes them."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from cxr import artifacts, numerics
from cxr.exporting import card, graph, strangeness
from cxr.phantom.patient import patient
from cxr.phantom.radiograph import radiographs
from tests.exporting import toys
from tests.exporting.test_card import CONFIG, ORIGIN

SIZE_PX = 32
LABELS = ["a", "b", "c"]
STEPS = [{"name": "resize", "size_px": SIZE_PX, "fit": "pad"}]


@functools.cache
def chests() -> np.ndarray:
    """Return phantoms, uint8 (80, 96, 96)."""
    people = [patient(1, number, task="multiclass") for number in range(80)]
    return np.stack([radiographs(1, who, image_px=96)[0].pixels_HW for who in people])


@functools.cache
def prepared() -> np.ndarray:
    """Return the same as the model sees them, uint8 (80, 32, 32)."""
    from cxr.preprocessing import _chain

    chain = _chain.build(STEPS, where="steps")
    return np.stack([_chain.apply(image, chain) for image in chests()])


@functools.cache
def member() -> Any:
    numerics.exact_torch()
    return toys.member(**toys.SMALL)


@functools.cache
def network() -> bytes:
    """Return the ONNX file of one network, with strangeness by the first 40 phantoms and the next 20."""
    train, val = ((x, graph.features(member(), x)) for x in (prepared()[:40], prepared()[40:60]))
    return graph.to_onnx(member(), size_px=SIZE_PX, about={}, strange=strangeness.fit(train, val))


def make(
    folder: Path,
    *,
    folds: int = 1,
    test: str = "in_turn",
    data_sets: tuple[str, ...] = ("hospital",),
) -> Path:
    """Write a model of so many networks, each with other scores than the one before; return its folder."""
    folder.mkdir(parents=True)
    config = {**CONFIG, "labels": LABELS, "folds": folds, "mean": 0.449, "std": 0.226}
    origin = dataclasses.replace(ORIGIN, data_sets=data_sets, test=test, preprocessing=STEPS)
    about = card.about(folder.name, config, origin, parameters=7, macs=9)
    files, own = {}, {}
    for fold in range(folds):
        model = onnx.load_from_string(network())
        own = graph.about(network())
        moved(model, fold)
        content = graph.finished(model, {**own, **about, "fold": fold})
        (folder / f"fold-{fold}.onnx").write_bytes(content)
        files[f"fold-{fold}.onnx"] = hashlib.sha256(content).hexdigest()
    said = {key: dict.fromkeys(files, own[key]) for key in ("maps", "strangeness")}
    artifacts.write_json(folder / "metadata.json", {**about, **said, "files": files})
    return folder


def moved(model: onnx.ModelProto, by: float) -> None:
    """Raise the first label's raw score."""
    (bias,) = (x for x in model.graph.initializer if x.name == "network.head.1.bias")
    values = onnx.numpy_helper.to_array(bias).copy()
    values[0] += by
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))


def png(image: np.ndarray) -> bytes:
    """Return an image as a PNG file."""
    import cv2

    return bytes(cv2.imencode(".png", image)[1].tobytes())
