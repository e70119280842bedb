"""table: measure how long the layers of networks take on this machine, for a search that prunes by it.

Every shape of layer that the networks have is timed in ONNX Runtime over a grid of channels, batch of
1, one thread, in several rounds over the whole grid. Prints the lines of a pruning recipe that name
the file. Measure on a quiet machine, and of the kind that the networks are for.
"""

from __future__ import annotations

from cxr import numerics

if __name__ == "__main__":
    numerics.enter()  # before numpy and torch read the environment

import argparse
import dataclasses
import hashlib
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cxr import artifacts, doctor, progress
from cxr.onnx_runtime import onnxruntime
from cxr.pruning import latency
from cxr.pruning.latency import Layer, Shape
from cxr.speed import layers
from cxr.training import models

THREADS = 1
RAW = Path("data/raw/latency")


def grids(found: Sequence[Layer]) -> dict[Shape, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return the numbers of inputs and outputs to measure of each shape, up to the widest found."""
    inputs: dict[Shape, list[int]] = {}
    outputs: dict[Shape, list[int]] = {}
    for layer in found:
        inputs.setdefault(layer.shape, []).append(layer.inputs)
        outputs.setdefault(layer.shape, []).append(layer.outputs)
    result = {}
    for shape in inputs:
        # a convolution in groups loses whole groups, so what one filter reads stays
        fixed = shape.kind in ("depthwise", "grouped")
        read = tuple(sorted(set(inputs[shape]))) if fixed else layers.counts(max(inputs[shape]))
        result[shape] = (read, layers.counts(max(outputs[shape]), multiple=shape.filters))
    return result


def measure(
    wanted: dict[Shape, tuple[tuple[int, ...], tuple[int, ...]]], *, rounds: int
) -> list[dict[str, Any]]:
    """Return the grids of a table with their times: of each point the median over the rounds.

    A round goes through all points once, so that what disturbs the machine meets a point once.
    """
    points = [
        (shape, read, made)
        for shape, (inputs, outputs) in wanted.items()
        for read, made in itertools.product(inputs, outputs)
    ]
    times: dict[tuple[Shape, int, int], list[float]] = {point: [] for point in points}
    turns = [point for turn in range(rounds) for point in points[:: -1 if turn % 2 else 1]]
    for point in progress.track(turns, total=len(turns), words="latency table"):
        content, runs = layers.model(*point), layers.runs(*point)
        times[point].append(layers.microseconds(content, runs=runs, threads=THREADS))
    return [
        {
            "shape": dataclasses.asdict(shape),
            "inputs": list(inputs),
            "outputs": list(outputs),
            "microseconds": [
                [round(float(np.median(times[shape, read, made])), 2) for made in outputs]
                for read in inputs
            ],
        }
        for shape, (inputs, outputs) in wanted.items()
    ]


def make(folders: Sequence[Path], *, fold: int, size_px: int | None, rounds: int) -> dict[str, Any]:
    """Return the table of the layers of one fold of each model, at the side that it was trained at."""
    found: list[Layer] = []
    for folder in folders:
        side = size_px or models.config(folder)["size_px"]
        found += latency.layers(models.load(folder, fold).network, size_px=side)
    about = {
        "processor": doctor.processor(),
        "onnxruntime": onnxruntime.__version__,
        "threads": THREADS,
        "batch": 1,
        "rounds": rounds,
        "networks": [folder.name for folder in folders],
    }
    measured = measure(grids(found), rounds=rounds)
    return {"format": latency.FORMAT, "about": about, "grids": measured}


def main() -> None:
    """Measure what the command line names and write the table."""
    parser = argparse.ArgumentParser(prog="python -m cxr.speed.table", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument(
        "--network", type=Path, required=True, nargs="+", help="folders of data/models"
    )
    parser.add_argument("--out", type=Path, required=True, help=f"the file, as {RAW}/<name>.json")
    parser.add_argument("--fold", type=int, default=0, help="whose networks, from 0")
    parser.add_argument(
        "--size-px", type=int, help="side of the images; the models' own if not given"
    )
    parser.add_argument("--rounds", type=int, default=3, help="through the whole grid")
    given = parser.parse_args()
    numerics.exact_torch()
    try:
        table = make(given.network, fold=given.fold, size_px=given.size_px, rounds=given.rounds)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    artifacts.write_json(given.out, table)
    sha256 = hashlib.sha256(given.out.read_bytes()).hexdigest()
    latency.Table.read(given.out, sha256)  # it must be what the search will read
    print(f"# {len(table['grids'])} shapes of layers; keep it: dvc add {given.out.parent}")
    print(f"latency: {{file: {given.out}, sha256: {sha256}}}")


if __name__ == "__main__":
    main()
