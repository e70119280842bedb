"""Genomes of pruned networks: what a gene chooses, which channels stay, and MACs without building."""

import copy

import numpy as np
import pytest

from cxr import numerics, seeding
from cxr.metrics import cost
from cxr.pruning import cutting, encoding
from cxr.pruning.criteria import bn_scale, l1_norm, random
from cxr.pruning.evidence import Evidence
from tests.architectures.cases import cells, stage
from tests.backbones.test_surgery import NETWORKS
from tests.pruning.parents import SIZE, network, small
from tests.training.recipes import tiny

numerics.exact_torch()
LINEAR = {"kind": "linear", "hidden": [], "dropout": 0.0}
MLP = {"kind": "mlp", "hidden": [20], "dropout": 0.0}


EVIDENCE = Evidence(seed=1, fold=0, taylor={})


def encode(
    parent, scores=l1_norm.scores, size_px=SIZE, by=encoding.encode, **options
) -> encoding.Encoding:
    groups = cutting.groups(parent, size_px=size_px)
    ranked = {group.name: scores(parent, group, EVIDENCE) for group in groups}
    return by(parent, groups, ranked, size_px=size_px, **options)


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
        cutting.cut(cut, encoded.kept(genome), size_px=SIZE)
        left = cost.macs(cut, size_px=SIZE)
        assert encoded.macs(genome) == encoded.cost.of(cut) == left
        assert left < encoded.macs(encoded.whole) == encoded.cost.of(parent)


def test_macs_follow_the_size_of_the_images():
    parent = network(small())
    small_px, large_px = (encode(parent, size_px=size) for size in (32, 48))
    genome = random_genome(small_px)
    cut = copy.deepcopy(parent)
    cutting.cut(cut, large_px.kept(genome), size_px=48)
    assert cost.macs(cut, size_px=48) == large_px.macs(genome) == large_px.cost.of(cut)
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


def test_genes_choose_other_multiples_where_they_are_asked_for():
    encoded = encode(network(small(head=MLP)), multiple=16)
    choices = {g.name: c for g, c in zip(encoded.groups, encoded.choices, strict=True)}
    assert choices["backbone.layer3.0.conv1"] == (16, 24) and choices["head.0"] == (16, 20)
    assert "backbone.conv1.0" not in choices  # 12 channels


def test_the_best_channels_stay_and_ties_go_to_the_first():
    parent = network(small())
    encoded = encode(
        parent, lambda _, group, __: np.array([5.0, 7.0, *[6.0] * (group.channels - 2)])
    )
    kept = encoded.kept(encoded.smallest)
    assert kept["backbone.conv1.0"] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert encoded.counts(encoded.smallest) == [8] * len(encoded.groups)
    assert encoded.kept(encoded.whole) == {}


def test_channels_that_a_convolution_ties_together_stay_together():
    backbone, options = NETWORKS["grouped"]
    encoded = encode(network(tiny(backbone=backbone, backbone_options=options)))
    tied = [place for place, group in enumerate(encoded.groups) if group.block > 1]
    assert tied
    for place in tied:
        group, choice = encoded.groups[place], encoded.choices[place]
        assert all(count % group.multiple == 0 for count in choice)
        kept = encoded.kept(encoded.smallest)[group.name]
        blocks = sorted({channel // group.block for channel in kept})
        assert kept == [b * group.block + i for b in blocks for i in range(group.block)]


def test_tied_channels_are_ranked_by_their_mean():
    backbone, options = NETWORKS["grouped"]
    parent = network(tiny(backbone=backbone, backbone_options=options))

    def spread(_, group, __):
        """Return scores whose best channel is in the last block but one, the best mean in the last."""
        scores = np.zeros(group.channels)
        scores[-group.block :] = 2.0
        scores[-2 * group.block] = 3.0
        return scores

    encoded = encode(parent, spread)
    for group, members, scores in zip(encoded.groups, encoded.members, encoded.scores, strict=True):
        if group.block > 1:
            last = group.channels - group.block
            assert members[: group.block] == tuple(range(last, group.channels))
            assert members[group.block] == last - group.block
            assert scores[0] == scores[group.block - 1] == 2 > scores[group.block] > scores[-1] == 0


def test_scores_fall_along_the_channels():
    parent = network(small())
    encoded = encode(parent)
    for group, members, scores in zip(encoded.groups, encoded.members, encoded.scores, strict=True):
        own = l1_norm.scores(parent, group, EVIDENCE)
        assert sorted(members) == list(range(group.channels))
        assert own[list(members)].tolist() == list(scores) == sorted(scores, reverse=True)


def test_a_genome_like_another_encodings_cut_keeps_as_many_of_its_own_best():
    parent = network(small())
    one, other = encode(parent), encode(parent, random.scores)
    genome = random_genome(one, "like")
    alike = other.like(one.kept(genome))
    assert alike == genome and other.kept(alike) != one.kept(genome)
    assert one.like({}) == one.whole


def test_of_a_count_that_is_no_choice_the_next_smaller_is_taken():
    encoded = encode(network(small()))
    name = "backbone.layer3.0.conv1"  # 8, 16 or 24 channels
    place = [group.name for group in encoded.groups].index(name)
    for count, value in ((3, 0), (8, 0), (15, 0), (16, 1), (23, 1)):
        genome = encoded.like({name: list(range(count))})
        assert genome == (*encoded.whole[:place], value, *encoded.whole[place + 1 :])


def test_a_group_that_the_criterion_cannot_rank_stays_whole():
    parent = network(small(head=MLP))
    by_scale = encode(parent, bn_scale.scores)
    assert "head.0" not in [group.name for group in by_scale.groups]
    assert "head.0" not in by_scale.kept(by_scale.smallest)


def test_nothing_to_prune_is_told():
    narrow = cells(stage(width=8, depth=1), stem=8)
    with pytest.raises(ValueError, match=r"nothing to prune: of 2 groups .* more than 8 channels"):
        encode(network(tiny(backbone="searched", backbone_options=narrow)))
