"""Candidates: full networks within each share, from the baselines on, and the order of the picks."""

import copy

import numpy as np
import pytest

from cxr import numerics
from cxr.evolution.genes import Evaluated
from cxr.pruning import baselines, candidates, cutting, evidence, methods, reconstruction
from tests.pruning.parents import SIZE, network, small
from tests.pruning.test_baselines import losses, space
from tests.pruning.test_encoding import EVIDENCE

numerics.exact_torch()
WIDE = {"channels": [16, 32, 48, 64], "stem_width": 16}


@pytest.fixture(scope="module")
def own():
    return space(small(backbone_options=WIDE))


@pytest.fixture(scope="module")
def masked():
    return space(small(backbone_options=WIDE), encoding="mask")


def starts(own, share=0.5):
    limit = candidates.limit(own, share)
    cuts = baselines.cuts(own, macs=limit, losses=losses(own.ranked["l1_norm"]))
    return candidates.seeds(own, cuts)


def worth(encoding, genome):
    """Stand in for the fitness: groups at even places matter three times as much as the others."""
    shares = [count / group.channels for count, group in zip(encoding.counts(genome), encoding.groups, strict=True)]  # fmt: skip
    return float(np.average(shares, weights=[3 - 2 * (place % 2) for place in range(len(shares))]))


def explore(spaces, shares=(0.5,), seen=None, **options):
    def evaluate(waiting):
        for (fold, share), asked in waiting:
            (seen if seen is not None else []).append((fold, share, asked.genome, asked.rung))
        return [
            (
                1 - worth(spaces[fold].encoding, asked.genome) - asked.rung,
                float(spaces[fold].encoding.macs(asked.genome)),
            )
            for (fold, _), asked in waiting
        ]

    settings = {"population": 8, "generations": 4, "survivors": None, "seed": 1, **options}
    genomes = {
        (fold, share): list(starts(one, share).values())
        for fold, one in enumerate(spaces)
        for share in shares
    }
    return candidates.explore(spaces, shares, evaluate, genomes=genomes, **settings)


@pytest.mark.parametrize("code", ["own", "masked"])
def test_every_candidate_is_new_and_as_large_as_the_share_allows(request, code):
    one, seen = request.getfixturevalue(code), []
    found = explore([one, one], (0.5, 0.3), seen)
    assert list(found) == [(0, 0.5), (0, 0.3), (1, 0.5), (1, 0.3)]
    assert len(seen) == len(set(seen)) == 4 * 32
    for (fold, share), tried in found.items():
        limit = candidates.limit(one, share)
        assert {x.genome for x in tried} == {g for f, s, g, _ in seen if (f, s) == (fold, share)}
        assert all(0.97 * limit <= one.encoding.macs(x.genome) <= limit for x in tried)
        assert all(one.encoding.living(x.genome) for x in tried)


def test_folds_and_shares_draw_by_themselves(own):
    both = explore([own, own], (0.5, 0.3))
    assert explore([own], (0.3,))[0, 0.3] == both[0, 0.3]
    assert both[0, 0.5] != both[1, 0.5]
    assert explore([own], seed=2)[0, 0.5] != both[0, 0.5]


def test_the_first_generation_starts_from_the_baselines_then_random_networks(own):
    begun = list(dict.fromkeys(starts(own).values()))
    assert len(begun) == 6
    tried = explore([own])[0, 0.5]
    assert [x.genome for x in tried[:6]] == begun
    assert [x.generation for x in tried] == [0] * 8 + [1] * 8 + [2] * 8 + [3] * 8
    assert [x.genome for x in explore([own], population=3)[0, 0.5][:3]] == begun[:3]


def test_baselines_become_genomes_of_the_search(own, masked):
    limit = candidates.limit(own, 0.5)
    cuts = baselines.cuts(own, macs=limit, losses=losses(own.ranked["l1_norm"]))
    found = candidates.seeds(own, cuts)
    assert list(found) == [x for x in methods.METHODS if x not in ("evolved", "random")]
    for method, genome in found.items():
        encoding, its = cuts[method]
        kept = {group.name: group.channels for group in own.groups}
        kept |= {name: len(channels) for name, channels in encoding.kept(its).items()}
        alike = zip(own.encoding.groups, own.encoding.counts(genome), strict=True)
        assert all(count == kept[group.name] for group, count in alike)
    for method, genome in candidates.seeds(masked, cuts).items():
        encoding, its = cuts[method]
        assert masked.encoding.kept(genome) == encoding.kept(its)


def test_baselines_above_the_share_are_not_tried(own):
    seen = []
    candidates.explore(
        [own], [0.3], lambda waiting: seen.extend(waiting) or [(0.5, 1.0)] * len(waiting),
        genomes={(0, 0.3): list(starts(own, 0.5).values())}, population=8, generations=1,
        survivors=None, seed=1,
    )  # fmt: skip
    assert len(seen) == 8
    assert not {asked.genome for _, asked in seen} & set(starts(own, 0.5).values())


def test_a_small_network_has_fewer_candidates_and_the_search_ends():
    one = space()
    found = explore([one], (0.3,), population=40, generations=30)[0, 0.3]
    assert 1 <= len(found) == len({x.genome for x in found}) < 40


def test_survivors_are_judged_again_at_greater_expense(own):
    seen = []
    tried = explore([own], seen=seen, survivors=3)[0, 0.5]
    assert [x.rung for x in tried] == ([0] * 8 + [1] * 3) * 4
    assert [rung for *_, rung in seen] == [x.rung for x in tried]
    for at in range(0, 44, 11):
        assert {x.genome for x in tried[at + 8 : at + 11]} < {x.genome for x in tried[at : at + 8]}
    ranked = candidates.best(tried, own, macs=candidates.limit(own, 0.5), window=0.97, count=44)
    assert len(ranked) == 12 and set(ranked) == {x.genome for x in tried if x.rung == 1}
    assert candidates.front(tried) <= set(ranked)


@pytest.mark.parametrize("code", ["own", "masked"])
def test_evolution_beats_the_baselines_where_there_is_something_to_find(request, code):
    one = request.getfixturevalue(code)
    limit = candidates.limit(one, 0.5)
    (found,) = candidates.best(explore([one], generations=8)[0, 0.5], one, macs=limit, window=0.97)
    assert worth(one.encoding, found) > max(
        worth(one.encoding, genome) for genome in starts(one).values()
    )
    assert 0.97 * limit <= one.encoding.macs(found) <= limit


def test_a_shorter_search_is_the_beginning_of_a_longer_one(own):
    long, short = (explore([own], generations=number)[0, 0.5] for number in (4, 2))
    assert long[:16] == short


def test_the_pick_is_the_best_near_the_share_then_the_smallest_then_the_first(own):
    code, whole = own.encoding, own.encoding.whole
    lone = [(*whole[:gene], 0, *whole[gene + 1 :]) for gene in range(len(whole))]
    by_macs = sorted(lone, key=code.macs)
    small_one, middle, large = by_macs[0], by_macs[len(by_macs) // 2], by_macs[-1]

    def tried(*scores, rung=0):
        return [Evaluated(0, rung, genome, (score, 1.0)) for genome, score in scores]

    def best(found, macs, **options):
        return candidates.best(found, own, macs=macs, window=0.97, **options)

    found = tried((small_one, 0.1), (middle, 0.3), (large, 0.2))
    assert best(found, code.macs(small_one)) == [small_one]
    assert best(found, code.macs(large), count=3) == [large, middle, small_one] or (
        code.macs(middle) >= 0.97 * code.macs(large)
    )
    assert best(found, 10 * own.macs, count=9) == [large, middle, small_one]  # none is near
    equal = tried((large, 0.2), (middle, 0.2), (small_one, 0.2))
    assert best(equal, code.macs(small_one), count=3) == [small_one, middle, large]
    again = tried((small_one, 0.9), (large, 0.8), rung=1)
    assert best(found + again, code.macs(small_one), count=9) == [large, small_one]


def test_a_share_out_of_reach_is_told_with_the_least_one(own, masked):
    code = own.encoding
    least = code.macs(code.smallest) / own.macs
    message = rf"the share 0\.01 can't be reached: .* {least:.3f} of the MACs stay; ask for shares"
    for one in (own, masked):  # a mask could, its baselines can't
        with pytest.raises(ValueError, match=message) as told:
            candidates.limit(one, 0.01)
    advised = float(str(told.value).rpartition(" ")[-1])
    assert own.macs * least <= candidates.limit(own, advised) <= own.macs * (least + 0.02)


def test_the_criterion_chooses_the_channels_of_the_search_and_the_baselines_have_their_own():
    by_norm, by_scale = (space(criterion=name) for name in ("l1_norm", "bn_scale"))
    genome = by_norm.encoding.smallest
    assert by_norm.encoding.kept(genome) != by_scale.encoding.kept(genome)
    parent = network(small())
    assert by_norm.groups == by_scale.groups == tuple(cutting.groups(parent, size_px=SIZE))
    assert list(by_norm.ranked) == list(by_scale.ranked) == list(candidates.RANKED)
    for name in candidates.RANKED:
        assert by_norm.ranked[name].kept(genome) == by_scale.ranked[name].kept(genome)
    assert by_norm.macs == by_norm.encoding.macs(by_norm.encoding.whole)


def test_unknown_words_and_gradients_that_were_not_gathered_are_told():
    parent = network(small())
    about = {"criterion": "l1_norm", "encoding": "counts", "evidence": EVIDENCE, "size_px": SIZE}
    with pytest.raises(
        ValueError, match=r"unknown pruning/criteria 'l3': known are bn_scale, fpgm"
    ):
        candidates.space(parent, **{**about, "criterion": "l3"})
    with pytest.raises(ValueError, match="unknown encoding 'masks': known are counts, mask"):
        candidates.space(parent, **{**about, "encoding": "masks"})
    with pytest.raises(ValueError, match="no gradients were gathered"):
        candidates.space(parent, **about)


def known(parent):
    """Return evidence that is the same for all filters, and moments of inputs that have nothing in common."""
    layers = {name: m.weight for name, m in parent.named_modules() if getattr(m, "weight", None) is not None}  # fmt: skip
    moments = {
        name: reconstruction.Moments(100, np.zeros(weight.shape[1]), 100 * np.eye(weight.shape[1]))
        for name, weight in layers.items()
        if weight.dim() > 1
    }
    taylor = {name: np.ones(len(weight)) for name, weight in layers.items()}
    return evidence.Evidence(seed=1, fold=0, taylor=taylor, moments=moments)


def test_a_criterion_that_ranks_nothing_has_no_encoding(own):
    parent = network(small())
    for layer in parent.modules():
        if isinstance(layer, cutting.torch.nn.BatchNorm2d):
            layer.affine, layer.weight, layer.bias = False, None, None
    found = candidates.space(
        parent, criterion="l1_norm", encoding="counts", size_px=SIZE,
        evidence=known(parent),
    )  # fmt: skip
    assert list(found.ranked) == ["l1_norm", "taylor", "reconstruction", "random"]
    limit = candidates.limit(found, 0.5)
    cuts = baselines.cuts(found, macs=limit, losses=losses(found.ranked["l1_norm"]))
    assert "bn_scale" not in cuts and "bn_scale" not in candidates.seeds(found, cuts)


def test_making_a_space_leaves_the_parent_as_it_was():
    parent = network(small())
    before = copy.deepcopy(parent.state_dict())
    candidates.space(
        parent, criterion="taylor", encoding="mask", size_px=SIZE,
        evidence=known(parent),
    )  # fmt: skip
    after = parent.state_dict()
    assert list(after) == list(before)
    assert all(bool((after[name] == tensor).all()) for name, tensor in before.items())
