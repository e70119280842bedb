"""Genomes of pruned networks: what a gene chooses, which channels stay, and MACs without building."""

import copy

import numpy as np
import pytest

from cxr import numerics, seeding
from cxr.metrics import cost
from cxr.pruning import cutting, encoding
from cxr.pruning.criteria import bn_scale, l1_norm
from tests.architectures.cases import cells, stage
from tests.backbones.test_surgery import NETWORKS
from tests.pruning.parents import SIZE, network, small
from tests.training.recipes import tiny

numerics.exact_torch()
LINEAR = {"kind": "linear", "hidden": [], "dropout": 0.0}
MLP = {"kind": "mlp", "hidden": [20], "dropout": 0.0}


def encode(parent, scores=l1_norm.scores, size_px=SIZE) -> encoding.Encoding:
    groups = cutting.groups(parent, size_px=size_px)
    ranked = {group.name: scores(parent, group) for group in groups}
    return encoding.encode(parent, groups, ranked, size_px=size_px)


def random_genome(encoded, *names) -> tuple[int, ...]:
    rng = seeding.stream(1, "genome", *names)
    return tuple(int(rng.integers(gene.size)) for gene in encoded.genes)


@pytest.mark.parametrize(
    ("name", "head"), [*((name, LINEAR) for name in sorted(NETWORKS)), ("resnet10t", MLP)]
)
def test_macs_of_random_genomes_are_those_of_the_network_that_is_cut(name, head):
    backbone, options = NETWORKS[name]
    parent = network(tiny(backbone=backbone, backbone_options=options, head=head))
    encoded = encode(parent)
    assert encoded.macs(encoded.whole) == cost.macs(parent, size_px=SIZE)
    for genome in (encoded.smallest, random_genome(encoded, 0), random_genome(encoded, 1)):
        cut = copy.deepcopy(parent)
        left = cutting.cut(cut, encoded.kept(genome), size_px=SIZE)
        assert encoded.macs(genome) == left == cost.macs(cut, size_px=SIZE)
        assert left < encoded.macs(encoded.whole)


def test_macs_follow_the_size_of_the_images():
    parent = network(small())
    small_px, large_px = (encode(parent, size_px=size) for size in (32, 48))
    genome = random_genome(small_px)
    cut = copy.deepcopy(parent)
    assert cutting.cut(cut, large_px.kept(genome), size_px=48) == large_px.macs(genome)
    assert small_px.macs(genome) < large_px.macs(genome)


def test_genes_choose_multiples_of_eight_and_all():
    encoded = encode(network(small(head=MLP)))
    choices = {g.name: c for g, c in zip(encoded.groups, encoded.choices, strict=True)}
    assert choices["backbone.conv1.0"] == (8, 12)
    assert choices["backbone.layer3.0.conv1"] == (8, 16, 24)
    assert choices["head.0"] == (8, 16, 20)
    assert "backbone.layer1.0.conv1" not in choices  # 8 channels: nothing to choose
    assert [gene.size for gene in encoded.genes] == [len(choice) for choice in encoded.choices]
    assert all(gene.ordered for gene in encoded.genes)


def test_the_best_channels_stay_and_ties_go_to_the_first():
    parent = network(small())
    encoded = encode(parent, lambda _, group: np.array([5.0, 7.0, *[6.0] * (group.channels - 2)]))
    kept = encoded.kept(encoded.smallest)
    assert kept["backbone.conv1.0"] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert encoded.counts(encoded.smallest) == [8] * len(encoded.groups)
    assert encoded.kept(encoded.whole) == {}


def test_a_group_that_the_criterion_cannot_rank_stays_whole():
    parent = network(small(head=MLP))
    by_scale = encode(parent, bn_scale.scores)
    assert "head.0" not in [group.name for group in by_scale.groups]
    assert "head.0" not in by_scale.kept(by_scale.smallest)


def test_nothing_to_prune_is_told():
    narrow = cells(stage(width=8, depth=1), stem=8)
    with pytest.raises(ValueError, match=r"nothing to prune: of 2 groups .* more than 8 channels"):
        encode(network(tiny(backbone="searched", backbone_options=narrow)))
