"""The space cxr_cells: genes that don't matter are dropped, caps leave most draws, faults are told."""

from __future__ import annotations

import typing

import numpy as np
import pytest

from cxr import params
from cxr.evolution import novelty
from cxr.search.spaces import cxr_cells
from tests.search.spaces.examples import CELLS, draws, open_space

REAL = {
    "stages": [2, 5],
    "stems": [8, 16, 24, 32],
    "stem_strides": [2],
    "widths": [8, 16, 24, 32, 48, 64, 96, 128, 160, 192, 256],
    "depths": [1, 2, 3],
    "expansions": [2, 4, 6],
    "hidden": [[], [64], [128, 64]],
}
NETWORK = (
    "stages",
    "resolution",
    "stem",
    "stem_stride",
    "activation",
    "norm",
    "down",
    "pool",
    "hidden",
)
STAGE = ("block", "width", "depth", "kernel", "expansion", "se")


def genome(whole, *stages):
    """Three stages of six genes: those not given are 0."""
    given = [[*stage] for stage in stages] + [[0] * 6] * (3 - len(stages))
    return (*whole, *[value for stage in given for value in stage])


def test_a_genome_is_read_gene_by_gene():
    found = open_space()
    names = [gene.name for gene in found.genes]
    assert names == [*NETWORK, *[f"{name} {i}" for i in range(3) for name in STAGE]]
    whole = (1, 0, 1, 0, 2, 0, 1, 1, 2)
    stages = (2, 1, 1, 0, 1, 1), (1, 0, 0, 1, 0, 0), (3, 2, 1, 0, 0, 0)
    assert found.architecture(genome(whole, *stages)) == {
        "family": "cells",
        "resolution": 100,
        "stem": 16,
        "stem_stride": 2,
        "activation": "hardswish",
        "norm": "batch",
        "down": "max_pool",
        "stages": [
            {"block": "inverted", "width": 16, "depth": 2, "kernel": 3, "expansion": 4, "se": True},
            {"block": "residual", "width": 16, "depth": 1, "kernel": 5, "se": False},
            {"block": "dense", "width": 32, "depth": 2, "kernel": 3, "se": False},
        ],
        "pool": "flatten",
        "hidden": [32, 16],
        "side_px": 64,
    }


def test_genes_that_do_not_matter_are_dropped():
    found = open_space()
    whole = (0, *[0] * 8)  # two stages, pooled by means
    one = genome(whole, (0, 2, 0, 0, 0, 0), (1, 2, 1, 0, 0, 0), (0, 0, 0, 0, 0, 0))
    other = genome(whole, (0, 2, 0, 0, 1, 0), (1, 2, 1, 0, 1, 0), (2, 1, 1, 1, 1, 1))
    assert found.identity(one) == found.identity(other)
    network = found.architecture(one)
    assert [stage["width"] for stage in network["stages"]] == [24, 48]
    assert "side_px" not in network and "expansion" not in network["stages"][0]


def test_steps_beyond_the_widest_make_no_other_network():
    found = open_space()
    stages = (0, 2, 0, 0, 0, 0), (0, 2, 0, 0, 0, 0)
    whole = (1, *[0] * 8)
    names = {found.identity(genome(whole, *stages, (0, x, 0, 0, 0, 0))) for x in range(3)}
    assert len(names) == 1


def test_widths_never_fall_and_one_gene_of_the_first_moves_them_all():
    found = open_space(**REAL)
    for drawn in draws(found, 200):
        widths = [stage["width"] for stage in found.architecture(drawn)["stages"]]
        assert widths == sorted(widths)
    zeros = [0] * len(found.genes)
    zeros[0] = 3
    place = [gene.name for gene in found.genes].index("width 0")
    for start, width in enumerate(REAL["widths"][:6]):
        zeros[place] = start
        assert {s["width"] for s in found.architecture(tuple(zeros))["stages"]} == {width}
    assert found.genes[place].size == 6  # of eleven widths the six narrower ones


def test_a_list_in_falling_order_means_the_same_ladder():
    up, down = open_space(), open_space(widths=CELLS["widths"][::-1])
    assert [up.identity(g) for g in draws(up, 20)] == [down.identity(g) for g in draws(down, 20)]


def test_what_has_an_order_and_what_makes_a_stage():
    genes = open_space().genes
    assert {g.name.split()[0] for g in genes if not g.ordered} == {
        "activation", "norm", "down", "pool", "hidden", "block", "se",
    }  # fmt: skip
    assert {g.group for g in genes[:9]} == {""}
    assert [g.group for g in genes[9:]] == [f"stage {i}" for i in range(3) for _ in range(6)]


@pytest.mark.parametrize(
    ("size_px", "macs", "stages", "share"),
    [(64, 40_000_000, [2, 5], 0.6), (28, 3_000_000, [2, 5], 0.5), (64, 10_000_000, [2, 5], 0.5)],
)
def test_under_a_cap_most_draws_are_allowed_and_costs_span_orders_of_magnitude(
    size_px, macs, stages, share, monkeypatch
):
    monkeypatch.setattr(novelty, "DRAWS", 100)
    settings = {**REAL, "stages": stages}
    found = open_space(size_px=size_px, macs=macs, parameters=1_000_000, **settings)
    genomes = draws(found, 200)
    allowed = [found.cost(g).macs for g in genomes if found.allowed(g)]
    assert len(allowed) / len(genomes) > share
    low, high = np.quantile(allowed, [0.05, 0.95])
    assert high / low > 10
    assert found.cost(found.largest(1, "test")).macs > 0.95 * macs


def test_the_smallest_have_the_smallest_numbers_and_leave_open_what_depends():
    found = open_space()
    networks = [found.architecture(g) for g in cxr_cells.smallest(found.settings, size_px=64)]
    assert {network["stem"] for network in networks} == {8}
    stages = [stage for network in networks for stage in network["stages"]]
    assert {(s["width"], s["depth"], s["kernel"], s["se"]) for s in stages} == {(8, 1, 3, False)}
    for key in ("resolution", "pool", "down"):
        assert len({network[key] for network in networks}) == len(CELLS[f"{key}s"])


def test_without_flattening_only_the_fewest_stages_can_be_smallest():
    found = open_space(pools=["gap"])
    networks = [found.architecture(g) for g in cxr_cells.smallest(found.settings, size_px=64)]
    assert {len(network["stages"]) for network in networks} == {2}
    assert not cxr_cells.fixed_size(found.settings)
    assert cxr_cells.fixed_size(open_space().settings)


def test_stages_for_which_the_image_has_no_pixels_are_dropped():
    found = open_space(size_px=28, stages=[2, 5], stem_strides=[2])
    depth = {100: 3, 75: 3, 50: 2}  # 2 pixels for the stem and for each stage: 16 px, 8 px
    for drawn in draws(found, 60):
        network = found.architecture(drawn)
        assert len(network["stages"]) == min(2 + drawn[0], depth[network["resolution"]])
        assert found.allowed(drawn)


def test_networks_that_are_too_deep_all_the_same_are_not_allowed():
    found = open_space(size_px=16, stages=[3, 3], resolutions=[100, 50], stem_strides=[2])
    found.check(image_px=16)
    for drawn in draws(found, 40):
        assert found.allowed(drawn) == (found.architecture(drawn)["resolution"] == 100)


def test_the_blocks_are_those_that_can_be_built():
    for block in typing.get_args(cxr_cells.Block):
        found = open_space(blocks=[block])
        assert found.cost(cxr_cells.smallest(found.settings, size_px=64)[0]).macs > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stems": []}, "space: stems is empty: give at least one choice"),
        ({"blocks": []}, "space: blocks is empty"),
        ({"hidden": []}, r"space: hidden is empty: give at least one choice"),
        ({"widths": [8, 8]}, r"space: widths holds a choice twice: \[8, 8\]"),
        ({"hidden": [[], []]}, "space: hidden holds a choice twice"),
        ({"widths": [16, 8, 24]}, r"space: widths must ascend or descend, not \[16, 8, 24\]"),
        ({"widths": [8, 12]}, r"space: widths must be multiples of 8, not \[8, 12\]"),
        ({"stems": [4]}, r"space: stems must be multiples of 8, not \[4\]"),
        ({"depths": [0, 1]}, "space: depths must be at least 1"),
        ({"stages": [3, 2]}, r"stages must be \[fewest, most\].* not \[3, 2\]"),
        ({"stages": [0, 2]}, r"stages must be \[fewest, most\]"),
        ({"kernels": [4]}, r"space.kernels\[0\] must be one of 3, 5, not 4"),
        ({"blocks": ["transformer"]}, r"space.blocks\[0\] must be one of 'plain', 'residual', 'inverted', 'dense'"),
        ({"hidden": [[8, 8, 8]]}, r"hidden must hold lists of 0 to 2 widths .* not \[8, 8, 8\]"),
        ({"hidden": [[0]]}, r"hidden must hold lists of 0 to 2 widths .* not \[0\]"),
        ({"resolutions": [0]}, r"resolutions must be at least 1"),
    ],
)  # fmt: skip
def test_faulty_choices_are_told(change, message):
    with pytest.raises(ValueError, match=message):
        params.build(cxr_cells.Params, {**CELLS, **change}, where="space")
