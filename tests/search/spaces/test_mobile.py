"""The mobile space: in its middle stands timm's own network, tensor by tensor."""

from __future__ import annotations

import pytest

from cxr import backbones
from cxr.search.spaces import mobile
from tests.search.spaces.examples import MOBILE, open_space


@pytest.mark.parametrize("like", mobile.LIKE)
def test_the_network_in_the_middle_is_timms(like):
    found = open_space("mobile", like=like, widths=[100], depths=[0], kernels=[3], expansions=[6])
    assert found.size() == 1 and found.pretrained
    (genome,) = found.all()
    own = backbones.create(
        "searched", options=found.architecture(genome), seed=1, stream=("test",)
    ).state_dict()
    timms = backbones.create(like, options={}, seed=1, stream=("test",)).state_dict()
    assert {k: v.shape for k, v in own.items()} == {k: v.shape for k, v in timms.items()}


def test_a_genome_is_read_gene_by_gene():
    found = open_space("mobile")
    assert [gene.name for gene in found.genes[:5]] == [
        "width 1", "depth 1", "kernel 1", "expansion 1", "width 2",
    ]  # fmt: skip
    genome = (2, 2, 1, 0, 0, 0, 0, 1, *[1, 1, 0, 1] * 4)
    assert found.architecture(genome)["stages"][:4] == [
        {"width": 8, "depth": 1, "expansion": 1, "kernel": 3},
        {"width": 16, "depth": 3, "expansion": 3, "kernel": 5},  # 12 of 8, rounded up
        {"width": 8, "depth": 2, "expansion": 6, "kernel": 3},
        {"width": 24, "depth": 4, "expansion": 6, "kernel": 3},
    ]


def test_a_stage_keeps_a_block_and_eight_channels():
    found = open_space("mobile", widths=[1], depths=[-4])
    network = found.architecture((0,) * len(found.genes))
    assert {(stage["width"], stage["depth"]) for stage in network["stages"]} == {(8, 1)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"like": "resnet18"}, "space.like must be one of 'mobilenetv2_035'"),
        ({"depths": [-5]}, "depths must be at least -4"),
        ({"widths": [0, 50]}, "widths must be at least 1"),
        ({"expansions": [6, 3, 4]}, "expansions must ascend or descend"),
    ],
)
def test_faulty_choices_are_told(change, message):
    with pytest.raises(ValueError, match=message):
        open_space("mobile", **{**MOBILE, **change})
