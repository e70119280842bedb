"""Masks: a bit per filter, MACs without building, blocks where channels hang together, no empty group."""

import copy

import numpy as np
import pytest

from cxr import numerics, seeding
from cxr.metrics import cost
from cxr.pruning import cutting, masks
from cxr.pruning.criteria import bn_scale, random
from tests.architectures.cases import cells, stage
from tests.backbones.test_surgery import NETWORKS
from tests.pruning.parents import SIZE, network, small
from tests.pruning.test_encoding import MLP
from tests.pruning.test_encoding import encode as counted
from tests.training.recipes import tiny

numerics.exact_torch()


def encode(parent, **options):
    return counted(parent, by=masks.encode, **options)


def parent(name):
    backbone, options = NETWORKS[name]
    return network(tiny(backbone=backbone, backbone_options=options))


def random_genome(encoded, *names):
    """Return a genome that keeps about half of the bits, and the smallest network's."""
    rng = seeding.stream(1, "mask", *names)
    return tuple(best or int(rng.integers(2)) for best in encoded.smallest)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_macs_of_random_masks_are_those_of_the_network_that_is_cut(name):
    whole = parent(name)
    encoded = encode(whole)
    assert encoded.macs(encoded.whole) == cost.macs(whole, size_px=SIZE)
    for genome in (encoded.smallest, random_genome(encoded, name)):
        cut = copy.deepcopy(whole)
        cutting.cut(cut, encoded.kept(genome), size_px=SIZE)
        assert cost.macs(cut, size_px=SIZE) == encoded.cost.of(cut) == encoded.macs(genome)


def test_every_filter_has_a_bit_in_the_criterions_order():
    whole = network(small())
    encoded = encode(whole)
    groups = cutting.groups(whole, size_px=SIZE)
    assert encoded.groups == tuple(
        groups
    )  # those of 8 channels too: no count is too small for a mask
    assert len(encoded.genes) == sum(group.channels for group in groups)
    assert all(gene.size == 2 for gene in encoded.genes)
    assert {gene.group for gene in encoded.genes} == {group.name for group in groups}
    names = [f"{group.name}[{i}]" for group in groups for i in range(group.channels)]
    assert sorted(gene.name for gene in encoded.genes) == sorted(names)
    for place, group in enumerate(encoded.groups):
        scores = [s[0] for s, owner in zip(encoded.scores, encoded.owners, strict=True) if owner == place]  # fmt: skip
        assert len(scores) == group.channels and scores == sorted(scores, reverse=True)


def test_a_mask_keeps_just_the_channels_whose_bit_is_set():
    encoded = encode(network(small()))
    wanted = {group.name: list(range(place % 3, group.channels, 2)) for place, group in enumerate(encoded.groups)}  # fmt: skip
    genome = encoded.like(wanted)
    assert encoded.kept(genome) == wanted
    assert encoded.counts(genome) == [len(kept) for kept in wanted.values()]


@pytest.mark.parametrize("name", ["searched, group norms", "grouped"])
def test_channels_that_hang_together_have_one_bit_for_a_full_group(name):
    encoded = encode(parent(name))
    blocks = [group for group in encoded.groups if group.multiple > 1]
    assert blocks
    for group in blocks:
        own = [m for m, gene in zip(encoded.members, encoded.genes, strict=True) if gene.group == group.name]  # fmt: skip
        assert [len(members) for members in own] == [group.multiple] * (group.channels // group.multiple)  # fmt: skip
    genome = random_genome(encoded, name)
    for group, count in zip(encoded.groups, encoded.counts(genome), strict=True):
        assert count % group.multiple == 0
    fewer = encoded.like(encoded.kept(genome))
    assert encoded.counts(fewer) == encoded.counts(genome)


def test_the_smallest_mask_keeps_the_best_filter_of_each_group():
    whole = network(small())
    best = encode(whole, scores=lambda _, group, __: np.arange(group.channels) % 5.0)
    kept = best.kept(best.smallest)
    assert kept == {group.name: [4] for group in best.groups}
    assert best.living(best.smallest)


def test_a_mask_that_empties_a_group_does_not_live_and_is_refused_by_name():
    encoded = encode(network(small()))
    empty = [int(owner != 3) for owner in encoded.owners]
    assert not encoded.living(tuple(empty))
    with pytest.raises(ValueError, match=rf"keeps no channel of {encoded.groups[3].name}: "):
        encoded.kept(tuple(empty))
    empty[encoded.owners.index(3) + 1] = 1
    assert encoded.living(tuple(empty))


def test_a_baselines_cut_is_a_mask_channel_by_channel():
    whole = network(small())
    mask, counts = encode(whole), counted(whole, random.scores)
    genome = tuple(int(place % 2) for place, _ in enumerate(counts.genes))
    assert mask.kept(mask.like(counts.kept(genome))) == counts.kept(genome)


def test_a_group_that_the_criterion_cannot_rank_has_no_bits():
    encoded = encode(network(small(head=MLP)), scores=bn_scale.scores)
    assert "head.0" not in [group.name for group in encoded.groups]


def test_nothing_to_prune_is_told():
    narrow = cells(stage(width=8, depth=1), stem=8)
    whole = network(tiny(backbone="searched", backbone_options=narrow))
    with pytest.raises(ValueError, match=r"nothing to prune: .* more than one filter"):
        encode(whole, scores=lambda *_: None)
