"""Trained networks as ONNX files that run without this code, and the proof that they say the same.

graph writes a network as a file, maps adds where its scores come from, strangeness how unlike its
training an image is, card what it is; running runs a file and compares it with PyTorch; quantizing makes it one of whole numbers, by what evaluating finds
in it under the exact profile; folds does all of that for one fold of a model.
"""

from __future__ import annotations

from cxr.exporting.card import Origin, about, calibrated, metadata
from cxr.exporting.folds import Exported, Int8, Task, export_fold
from cxr.exporting.graph import INPUT, MAPS, METADATA_KEY, OPSET, OUTPUT, to_onnx
from cxr.exporting.running import LARGEST_DIFFERENCE, compare, outputs, probabilities

__all__ = [
    "INPUT",
    "LARGEST_DIFFERENCE",
    "MAPS",
    "METADATA_KEY",
    "OPSET",
    "OUTPUT",
    "Exported",
    "Int8",
    "Origin",
    "Task",
    "about",
    "calibrated",
    "compare",
    "export_fold",
    "metadata",
    "outputs",
    "probabilities",
    "to_onnx",
]
