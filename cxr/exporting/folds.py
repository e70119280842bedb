"""One fold of a model as files: exported, compared with PyTorch, and in whole numbers if wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cxr import manifest, numerics, prepared
from cxr.exporting import card, evaluating, graph, quantizing, running, strangeness
from cxr.metrics import auroc, classification, cost
from cxr.training import models

_CHECKED_IMAGES = 64


@dataclass(frozen=True, kw_only=True)
class Task:
    """One fold's export, as a worker receives it."""

    model: Path
    fold: int
    origin: card.Origin
    prepared_folder: Path
    rows: np.ndarray
    """positions of images that the network did not train on, to compare and judge on"""
    trained: np.ndarray
    """positions of images that it did train on: what is unlike them is strange"""
    calibration: np.ndarray | None
    """positions of training images that int8 is calibrated on; None: no int8"""


@dataclass(frozen=True, kw_only=True)
class Int8:
    """The same network in whole numbers, and what that costs."""

    content: bytes
    difference: float
    """mean difference of probabilities between onnxruntime and the exact evaluation: enters no file"""
    costs: dict[str, dict[str, Any]]
    """of float32 and int8: onnx_bytes, val_auroc (None: undefined), val_accuracy; the same on every processor"""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """An ONNX file's bytes and how far its probabilities are from PyTorch's.

    The difference varies with the processor, so it enters no file.
    """

    content: bytes
    about: dict[str, Any]
    """what the file says of itself"""
    difference: float
    temperature: float
    int8: Int8 | None


def export_fold(task: Task) -> Exported:
    """Export one fold's network and compare it with PyTorch on at most 64 images, spread evenly."""
    numerics.exact_torch()
    config, member = models.config(task.model), models.load(task.model, task.fold)
    about, images = of_fold(task, config, member), prepared.read(task.prepared_folder)
    strange = _strange(task, member, images)
    content = graph.to_onnx(member, size_px=config["size_px"], about=about, strange=strange)
    shown_NHW = images.gather(task.rows[:: max(-(-len(task.rows) // _CHECKED_IMAGES), 1)])
    difference = running.compare(content, member, shown_NHW)
    running.compare_strangeness(content, member, strange, shown_NHW)
    int8 = None
    if task.calibration is not None:
        int8 = _int8(task, member, content, images, shown_NHW)
    return Exported(
        content=content, about=graph.about(content), difference=difference,
        temperature=member.temperature, int8=int8,
    )  # fmt: skip


def of_fold(task: Task, config: Mapping[str, Any], member: models.Member) -> dict[str, Any]:
    """Return what a fold's file says of its own network."""
    about = card.about(
        task.model.name, config, task.origin,
        parameters=cost.parameters(member.network),
        macs=cost.macs(member.network, size_px=config["size_px"]),
    )  # fmt: skip
    about["fold"] = task.fold
    if card.calibrated(config):
        about["temperature"] = member.temperature
    return about


def _strange(task: Task, member: models.Member, images: prepared.Prepared) -> strangeness.Fitted:
    """Fit on images of train, and set the threshold on images of val."""
    parts = [
        images.gather(strangeness.spread(rows, most))
        for rows, most in (
            (task.trained, strangeness.TRAIN_IMAGES),
            (task.rows, strangeness.HELD_OUT_IMAGES),
        )
    ]
    train, held_out = ((part_NHW, graph.features(member, part_NHW)) for part_NHW in parts)
    return strangeness.fit(train, held_out)


def _int8(
    task: Task, member: models.Member, content: bytes, images: prepared.Prepared, shown_NHW: np.ndarray
) -> Int8:  # fmt: skip
    assert task.calibration is not None
    model = quantizing.quantize(content, images.gather(task.calibration))
    made = graph.finished(
        model, {**graph.about(content), "int8": quantizing.about(len(task.calibration))}
    )
    labels_NL = manifest.label_array(images.index)[task.rows]
    exclusive = member.recipe.loss == "cross_entropy"
    val_NHW = images.gather(task.rows)
    scores = {
        "float32": (content, models.predict_once(member, val_NHW)),
        "int8": (made, evaluating.probabilities(made, val_NHW)),
    }
    return Int8(
        content=made,
        difference=quantizing.compare(made, shown_NHW),
        costs={
            kind: {
                "onnx_bytes": len(file),
                "val_auroc": _known(auroc.macro(labels_NL, scores_NL)),
                "val_accuracy": classification.accuracy(labels_NL, scores_NL, exclusive=exclusive),
            }
            for kind, (file, scores_NL) in scores.items()
        },
    )


def _known(value: np.ndarray) -> float | None:
    """Return a number; None where it is undefined, as an AUROC is that has but one side."""
    return float(value) if np.isfinite(value) else None
