"""The latency table: strict when read, exact on its grid, and summed over what a cut leaves."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import itertools
import json
import time
from multiprocessing import Pipe

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from cxr import exporting, numerics, seeding
from cxr.pruning import cutting, latency, masks
from cxr.pruning import encoding as counts
from cxr.pruning.latency import Grid, Shape, Table
from cxr.speed import table as measuring
from cxr.training import models
from cxr.training.network import build
from tests.pruning import parents
from tests.training.recipes import tiny

numerics.exact_torch()
ABOUT = {
    "processor": "P", "onnxruntime": "1", "threads": 1, "batch": 1, "rounds": 1, "networks": ["toy"],
}  # fmt: skip
ONE = [1, 1]
SHAPE = {
    "kind": "plain", "kernel": [3, 3], "stride": ONE, "dilation": ONE, "filters": 1, "side_px": [8, 8],
}  # fmt: skip
GRID = {
    "shape": SHAPE, "inputs": [1, 8], "outputs": [8, 16, 32],
    "microseconds": [[1.0, 2.0, 4.0], [3.0, 6.0, 20.0]],
}  # fmt: skip
TREE = {"format": 1, "about": ABOUT, "grids": [GRID]}
MOBILE = {"backbone": "mobilenetv2_035", "backbone_options": {}}


def encoded(network: nn.Module, encode=counts.encode):
    """Rank a network's channels by nothing: their own order."""
    groups = cutting.groups(network, size_px=parents.SIZE)
    scores = {group.name: -np.arange(group.channels, dtype=np.float64) for group in groups}
    return encode(network, groups, scores, size_px=parents.SIZE)


def whole(found, per: float = 1e-3) -> Table:
    """Return a table in which every layer takes `per` times its inputs times its outputs."""
    grids = [
        Grid(
            shape=shape, inputs=inputs, outputs=outputs,
            microseconds=tuple(tuple(per * a * b for b in outputs) for a in inputs),
        )
        for shape, (inputs, outputs) in measuring.grids(found).items()
    ]  # fmt: skip
    return Table(format=1, about=latency.About(**ABOUT), grids=tuple(grids))


def write(path, tree) -> str:
    content = (tree if isinstance(tree, str) else json.dumps(tree)).encode()
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def test_a_table_is_read(tmp_path):
    found = Table.read(tmp_path / "t.json", write(tmp_path / "t.json", TREE))
    (grid,) = found.grids
    assert grid.inputs == (1, 8) and grid.microseconds[1] == (3.0, 6.0, 20.0)
    assert grid.shape.side_px == (8, 8) and str(grid.shape) == "plain convolution 3x3, stride 1x1, at 8x8 px"  # fmt: skip


def changed(**changes):
    return {**TREE, "grids": [{**GRID, **changes}]}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({**TREE, "format": 2}, "format must be 1, which this code reads, not 2"),
        ({**TREE, "colour": 1}, "colour is unknown"),
        ({"format": 1, "about": ABOUT}, "grids is missing"),
        ({**TREE, "grids": [GRID, GRID]}, "at 8x8 px stands there twice"),
        (changed(inputs=[8, 8]), r"inputs must ascend from 1 or more, not \[8, 8\]"),
        (changed(outputs=[0, 8, 16]), r"outputs must ascend from 1 or more"),
        (changed(microseconds=[[1.0, 2.0]]), r"2 row\(s\) of 3 numbers, not \[2\]"),
        (changed(microseconds=[[1.0, 2.0, 0.0]] * 2), "microseconds must be above 0"),
        (changed(shape={**SHAPE, "kind": "round"}), "kind must be one of 'plain'"),
        (changed(shape={**SHAPE, "kernel": [3]}), "kernel must be"),
        ('{"format": 1', "t.json is no valid JSON"),
        (json.dumps(TREE).replace("20.0", "NaN"), r"microseconds\[1\]\[2\] must be float"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_is_refused_by_name(tmp_path, tree, words):
    path = tmp_path / "t.json"
    with pytest.raises(ValueError, match=words) as caught:
        Table.read(path, write(path, tree))
    assert "t.json" in str(caught.value)


def test_another_file_than_the_one_named_is_refused(tmp_path):
    path = tmp_path / "t.json"
    sha256 = write(path, TREE)
    path.write_text(json.dumps(TREE).replace("20.0", "20.5"))
    with pytest.raises(ValueError, match=f"wanted is {sha256}: another table gives another search"):
        Table.read(path, sha256)
    with pytest.raises(ValueError, match=r"gone.json is missing: run `dvc pull`, or measure one"):
        Table.read(tmp_path / "gone.json", sha256)


def test_times_are_exact_on_the_grid_and_linear_between():
    grid = Grid(
        shape=Shape(**SHAPE), inputs=(1, 8), outputs=(8, 16, 32),
        microseconds=((1.0, 2.0, 4.0), (3.0, 6.0, 20.0)),
    )  # fmt: skip
    for (row, inputs), (column, outputs) in itertools.product(
        enumerate(grid.inputs), enumerate(grid.outputs)
    ):
        assert grid.at(inputs, outputs) == grid.microseconds[row][column]
    assert grid.at(1, 12) == 1.5 and grid.at(8, 24) == 13.0
    assert grid.at(4, 8) == pytest.approx(1 + 2 * 3 / 7)
    assert grid.covers(1, 32) and not grid.covers(9, 8) and not grid.covers(1, 7)


def shapes(network: nn.Module) -> list[tuple[str, Shape, int, int]]:
    found = latency.layers(network, size_px=parents.SIZE)
    return [(one.name, one.shape, one.inputs, one.outputs) for one in found]


def test_layers_are_told_in_the_order_and_as_often_as_they_run():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(6, 2)
            self.grouped = nn.Conv2d(4, 6, 3, groups=2, padding=1)
            self.depthwise = nn.Conv2d(4, 4, (1, 5), groups=4, padding=(0, 2))
            self.first = nn.Conv2d(1, 4, 2, stride=2)

        def forward(self, x):
            x = self.depthwise(self.depthwise(self.first(x)))
            return self.last(self.grouped(x).mean((2, 3)))

    network = Twice().train()
    found = shapes(network)
    assert network.training
    assert [name for name, *_ in found] == ["first", "depthwise", "depthwise", "grouped", "last"]
    assert [(shape.kind, inputs, outputs) for _, shape, inputs, outputs in found] == [
        ("plain", 1, 4), ("depthwise", 1, 4), ("depthwise", 1, 4), ("grouped", 2, 6), ("linear", 6, 2),
    ]  # fmt: skip
    assert [shape.side_px for _, shape, *_ in found] == [
        (32, 32),
        (16, 16),
        (16, 16),
        (16, 16),
        (1, 1),
    ]
    assert found[3][1].filters == 3 and found[1][1].kernel == (1, 5)


BACKBONES = {
    "residual": parents.SMALL,
    "mobile": MOBILE,
    "squeezing": {"backbone": "mobilenetv3_small_050", "backbone_options": {}},
    "dense": {"backbone": "densenet121", "backbone_options": {"growth_rate": 8, "block_config": [2, 2]}},
    "grouped": {"backbone": "resnext26ts", "backbone_options": {}},
}  # fmt: skip


@pytest.mark.parametrize("family", BACKBONES)
def test_a_sum_is_over_the_layers_that_the_cut_network_has(family):
    """Surgery and arithmetic must agree: the table is asked for the channels that are really left."""
    network = parents.network(tiny(**BACKBONES[family]))
    code = encoded(network)
    found = latency.layers(network, size_px=parents.SIZE)
    timing = latency.bind(whole(found), network, code, size_px=parents.SIZE)
    rng = seeding.stream(1, "test latency", family)
    for genome in (code.smallest, code.whole, tuple(int(rng.integers(g.size)) for g in code.genes)):
        cut = copy.deepcopy(network)
        if kept := code.kept(genome):
            cutting.cut(cut, kept, size_px=parents.SIZE)
        expected = sum(1e-3 * a * b for _, _, a, b in shapes(cut))
        assert timing.microseconds(genome) == pytest.approx(expected, rel=1e-12)


def test_a_mask_is_timed_like_the_counts_that_it_leaves():
    network = parents.network(parents.small())
    found = latency.layers(network, size_px=parents.SIZE)
    table = whole(found)
    code, bits = encoded(network), encoded(network, masks.encode)
    genome = tuple(value // 2 for value in code.whole)
    times = [
        latency.bind(table, network, own, size_px=parents.SIZE).microseconds(cut)
        for own, cut in ((code, genome), (bits, bits.like(code.kept(genome))))
    ]
    assert times[0] == times[1] > 0


def test_a_bound_table_travels_to_workers_and_says_the_same():
    network = parents.network(parents.small())
    table = whole(latency.layers(network, size_px=parents.SIZE))
    timing = latency.bind(table, network, encoded(network), size_px=parents.SIZE)
    here, there = Pipe()
    here.send(timing)
    again = there.recv()
    genome = timing.encoding.smallest
    assert again.microseconds(genome) == timing.microseconds(genome)


def test_what_the_table_lacks_is_told_by_layer():
    network = parents.network(parents.small())
    found = latency.layers(network, size_px=parents.SIZE)
    table, code = whole(found), encoded(network)
    fewer = dataclasses.replace(table, grids=table.grids[1:])
    with pytest.raises(
        ValueError, match=rf"lacks 1 of {len(found)} layers .*{found[0].name}: no plain"
    ):
        latency.bind(fewer, network, code, size_px=parents.SIZE)
    narrow = [
        dataclasses.replace(grid, outputs=grid.outputs[:2], microseconds=tuple(row[:2] for row in grid.microseconds))
        for grid in table.grids
    ]  # fmt: skip
    with pytest.raises(
        ValueError, match=r"channels \(inputs, outputs\) of a .* measured are .* more\)"
    ):
        latency.bind(dataclasses.replace(table, grids=tuple(narrow)), network, code, size_px=parents.SIZE)  # fmt: skip
    with pytest.raises(ValueError, match=r"at 64x64 px.* `python -m cxr.speed.table --network"):
        latency.bind(table, network, code, size_px=64)


def rank_correlation(first, second) -> float:
    """Spearman's, of numbers without ties."""
    ranks = [np.argsort(np.argsort(x, kind="stable"), kind="stable") for x in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])


@pytest.mark.slow
def test_the_sum_ranks_whole_networks_as_they_are_measured():
    """Eight cuts of a ResNet between a tenth and all of its channels, by the processor's time.

    A busy machine lengthens the clock's time; the fastest runs of the thread's own hardly change.
    """
    recipe, side = tiny(backbone="resnet10t", backbone_options={"channels": [32, 64, 128, 256]}), 64
    network = build(recipe, labels=2, seed=1, fold=0)
    groups = cutting.groups(network, size_px=side)
    scores = {group.name: -np.arange(group.channels, dtype=np.float64) for group in groups}
    code = counts.encode(network, groups, scores, size_px=side)
    found = latency.layers(network, size_px=side)
    grids = measuring.measure(measuring.grids(found), rounds=1)
    tree = {"format": 1, "about": ABOUT, "grids": grids}
    table = latency.params.build(Table, json.loads(json.dumps(tree)), where="test")
    timing = latency.bind(table, network, code, size_px=side)
    rng = seeding.stream(1, "test latency", "cuts")
    sums, measured = [], []
    for number in range(8):
        share = 0.1 + 0.9 * number / 7
        genome = tuple(
            int(np.clip(round(share * (gene.size - 1) + rng.integers(-1, 2)), 0, gene.size - 1))
            for gene in code.genes
        )
        sums.append(timing.microseconds(genome))
        measured.append(fastest(recipe, network, code.kept(genome), side))
    assert rank_correlation(sums, measured) > 0.8, list(zip(sums, measured, strict=True))


def fastest(recipe, network, kept, side) -> float:
    cut = copy.deepcopy(network)
    if kept:
        cutting.cut(cut, kept, size_px=side)
    content = exporting.to_onnx(models.Member(cut.eval(), recipe), size_px=side, about={})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    feed = {"images": torch.zeros(1, 1, side, side).numpy()}
    seconds = []
    for _ in range(40):
        start = time.thread_time()
        session.run(None, feed)
        seconds.append(time.thread_time() - start)
    return float(np.quantile(seconds[5:], 0.1))
