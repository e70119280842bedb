"""A measured table covers its network, is what the search reads, and is measured in rounds."""

from __future__ import annotations

import hashlib

import pytest

from cxr import artifacts, numerics
from cxr.pruning import latency
from cxr.pruning.latency import Layer, Shape
from cxr.speed import table
from cxr.training import models
from tests.pruning import parents
from tests.pruning.test_latency import encoded

numerics.exact_torch()
ONE = (1, 1)
POINT = Shape(kind="pointwise", kernel=ONE, stride=ONE, dilation=ONE, filters=1, side_px=(4, 4))
DEPTH = Shape(kind="depthwise", kernel=(3, 3), stride=ONE, dilation=ONE, filters=1, side_px=(4, 4))
GROUPED = Shape(kind="grouped", kernel=(3, 3), stride=ONE, dilation=ONE, filters=8, side_px=(4, 4))


def layer(shape: Shape, inputs: int, outputs: int) -> Layer:
    return Layer(name="x", shape=shape, inputs=inputs, outputs=outputs)


def test_a_grid_reaches_the_widest_of_all_layers_of_its_shape():
    found = table.grids([
        layer(POINT, 8, 32), layer(DEPTH, 1, 20), layer(POINT, 24, 16), layer(GROUPED, 8, 32),
        layer(GROUPED, 16, 16),
    ])  # fmt: skip
    assert found == {
        POINT: ((1, 8, 16, 24), (1, 8, 16, 24, 32)),
        DEPTH: ((1,), (1, 8, 16, 20)),
        GROUPED: ((8, 16), (8, 16, 24, 32)),
    }


def test_each_point_is_the_median_over_the_rounds(monkeypatch):
    clock = iter([3.0, 1.0, 9.0, 2.0, 8.0, 4.0])  # the second round goes backwards
    monkeypatch.setattr(table.layers, "microseconds", lambda content, **options: next(clock))
    (found,) = table.measure({DEPTH: ((1,), (8, 16))}, rounds=3)
    assert found["microseconds"] == [[3.0, 4.0]]  # of 3, 2, 8 and of 1, 9, 4


def test_a_table_of_a_network_is_read_and_bound(tmp_path, python):
    folder = parents.save(tmp_path / "data/models/toy", parents.small(), folds=1)
    out = tmp_path / "data/raw/latency/mine.json"
    done = python(
        "-m", "cxr.speed.table", "--network", str(folder), "--out", str(out), "--rounds", "1"
    )
    assert done.returncode == 0, done.stderr
    sha256 = hashlib.sha256(out.read_bytes()).hexdigest()
    assert f"latency: {{file: {out}, sha256: {sha256}}}" in done.stdout
    read = latency.Table.read(out, sha256)
    assert read.about.networks == ["toy"] and read.about.rounds == read.about.threads == 1
    network = models.load(folder, 0).network
    timing = latency.bind(read, network, encoded(network), size_px=parents.SIZE)
    assert 10 < timing.microseconds(timing.encoding.whole) < 1e6


def test_a_model_that_is_missing_is_told(python, tmp_path):
    done = python("-m", "cxr.speed.table", "--network", str(tmp_path / "no"), "--out", "x.json")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and "no/config.json is missing" in done.stderr


def test_measuring_twice_asks_for_the_same_points(tmp_path):
    folder = parents.save(tmp_path / "toy", parents.small(), folds=1)
    found = [
        table.grids(latency.layers(models.load(folder, 0).network, size_px=parents.SIZE))
        for _ in range(2)
    ]
    assert found[0] == found[1] and list(found[0]) == list(found[1])
    assert artifacts.canonical_json([str(shape) for shape in found[0]])


@pytest.mark.parametrize("side", [32, 64])
def test_another_side_is_another_shape(tmp_path, side):
    folder = parents.save(tmp_path / "toy", parents.small(), folds=1)
    found = latency.layers(models.load(folder, 0).network, size_px=side)
    assert found[0].shape.side_px == (side, side)
