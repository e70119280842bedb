"""The staged space: genes that don't matter are dropped, faulty choices are told."""

from __future__ import annotations

import typing

import pytest

from cxr import params
from cxr.backbones import staged as family
from cxr.search.spaces import staged
from tests.search.settings import SPACE

OWN = {key: value for key, value in SPACE.items() if key != "name"}


def settings(**changes):
    return params.build(staged.Params, {**OWN, **changes}, where="space")


def test_a_genome_is_read_gene_by_gene():
    # stem 8, two stages: inverted 8, 2 blocks, kernel 3, expansion 4; residual 16, 1 block, kernel 5
    genome = (1, 1, 2, 0, 1, 0, 1, 1, 1, 0, 1, 0)
    assert [gene.name for gene in staged.genes(settings())[:7]] == [
        "stem", "stages", "block 0", "width 0", "depth 0", "kernel 0", "expansion 0",
    ]  # fmt: skip
    assert staged.architecture(genome, settings()) == {
        "stem": 8,
        "stages": [
            {"block": "inverted", "width": 8, "depth": 2, "kernel": 3, "expansion": 4},
            {"block": "residual", "width": 16, "depth": 1, "kernel": 5},
        ],
    }


def test_genes_that_do_not_matter_are_dropped():
    one_stage = (
        0,
        0,
        0,
        1,
        1,
        1,
        0,
    )  # plain: its expansion does not matter, nor does a second stage
    found = staged.architecture((*one_stage, 2, 1, 1, 1, 1), settings())
    assert found == staged.architecture((0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0), settings())
    assert found == {
        "stem": 4,
        "stages": [{"block": "plain", "width": 16, "depth": 2, "kernel": 5}],
    }


def test_only_kinds_of_blocks_have_no_order():
    unordered = [gene.name for gene in staged.genes(settings()) if not gene.ordered]
    assert unordered == ["block 0", "block 1"]


def test_the_blocks_are_those_that_can_be_built():
    assert typing.get_args(staged.Block) == typing.get_args(
        typing.get_type_hints(family.Stage)["block"]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stems": []}, "space: stems is empty: give at least one choice"),
        ({"blocks": []}, "space: blocks is empty"),
        ({"expansions": []}, "space: expansions is empty"),
        ({"widths": [8, 8]}, r"space: widths holds a choice twice: \[8, 8\]"),
        ({"widths": [16, 8]}, r"space: widths must ascend from at least 1, not \[16, 8\]"),
        ({"depths": [0, 1]}, "space: depths must ascend from at least 1"),
        ({"stages": [3, 2]}, r"stages must be \[fewest, most\].* not \[3, 2\]"),
        ({"stages": [0, 2]}, r"stages must be \[fewest, most\]"),
        ({"kernels": [4]}, r"space.kernels\[0\] must be one of 3, 5, not 4"),
        ({"blocks": ["dense"]}, r"space.blocks\[0\] must be one of 'plain', 'residual', 'inverted'"),
    ],
)  # fmt: skip
def test_faulty_choices_are_told(change, message):
    with pytest.raises(ValueError, match=message):
        settings(**change)
