"""The baselines: the largest uniform cut and the lowest global threshold, all as large as the MACs allow."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from cxr import numerics
from cxr.pruning import baselines, candidates, evidence, methods, sensitivity
from cxr.pruning.criteria import l1_norm
from cxr.training.loop import Part
from tests.pruning.parents import SIZE, network, small
from tests.pruning.test_encoding import EVIDENCE, encode
from tests.training.recipes import tiny

numerics.exact_torch()
PARENTS = {
    "mobilenetv2_035, 64 px": (tiny(), 64),
    "mobilenetv2_035, 96 px": (tiny(), 96),
    "resnet10t, 64 px": (tiny(backbone="resnet10t"), 64),
    "resnet18, 64 px": (tiny(backbone="resnet18"), 64),
    "a small one": (small(backbone_options={"channels": [24, 40, 64, 96], "stem_width": 32}), SIZE),
}


def space(recipe=None, *, criterion="l1_norm", encoding="counts", size_px=SIZE):
    """Return the space of a parent that nobody trained, its gradients taken on random images."""
    recipe = recipe or small()
    parent = network(recipe)
    images = np.arange(8 * size_px * size_px).reshape(8, size_px, size_px) * 31 % 251
    part = Part(images.astype(np.uint8), np.eye(2, dtype=np.float32)[np.arange(8) % 2])
    found = evidence.gather(
        parent, recipe, part, seed=1, fold=0, criteria=[criterion, *candidates.RANKED]
    )
    return candidates.space(
        parent, criterion=criterion, encoding=encoding, evidence=found, size_px=size_px
    )


def losses(encoded):
    """Return made-up losses: each group's rise as its square of what is gone, times its place."""
    found = {encoded.whole: 0.5}
    for genome in sensitivity.asked(encoded):
        (gene,) = [i for i, value in enumerate(genome) if value != encoded.whole[i]]
        gone = 1 - encoded.counts(genome)[gene] / encoded.groups[gene].channels
        found[genome] = 0.5 + (gene % 5 + 1) * gone**2
    return found


@pytest.fixture(scope="module")
def parent():
    return network(tiny())


@pytest.fixture(scope="module")
def encoded(parent):
    return encode(parent)


def limits(encoded):
    least, whole = encoded.macs(encoded.smallest), encoded.macs(encoded.whole)
    return [least, *(least + (whole - least) * k // 7 for k in range(1, 7)), whole - 1, whole]


@pytest.mark.parametrize("name", PARENTS)
@pytest.mark.parametrize("share", [0.7, 0.5, 0.3, 0.15])
def test_every_baseline_costs_what_is_allowed_to_three_per_cent(spaces, name, share):
    own = spaces(name)
    macs = candidates.limit(own, share)
    cuts = baselines.cuts(own, macs=macs, losses=losses(own.ranked["l1_norm"]))
    assert list(cuts) == [method for method in methods.METHODS if method != "evolved"]
    for encoding, genome in cuts.values():
        assert 0.97 * macs <= encoding.macs(genome) <= macs


@pytest.fixture(scope="module")
def spaces():
    made = {}

    def get(name):
        if name not in made:
            recipe, size_px = PARENTS[name]
            made[name] = space(recipe, size_px=size_px)
        return made[name]

    return get


def test_each_method_has_its_own_order_of_channels(spaces):
    own = spaces("mobilenetv2_035, 64 px")
    cuts = baselines.cuts(own, macs=own.macs // 2, losses=losses(own.ranked["l1_norm"]))
    by = {"uniform": "l1_norm", "global": "l1_norm", "sensitivity": "l1_norm"}
    for method, (encoding, _) in cuts.items():
        assert encoding is own.ranked[by.get(method, method)]
    assert cuts["random"][1] == cuts["uniform"][1]
    kept = [encoding.kept(genome) for encoding, genome in cuts.values()]
    assert len(kept) == 7 and all(kept.count(one) == 1 for one in kept)


def test_a_method_whose_criterion_ranks_too_little_is_left_out(spaces):
    own = spaces("a small one")
    first = own.ranked["bn_scale"].groups[:1]
    narrow = encode(
        network(PARENTS["a small one"][0]),
        lambda parent, group, found: np.ones(group.channels) if group in first else None,
    )
    few = dataclasses.replace(own, ranked={**own.ranked, "bn_scale": narrow})
    none = dataclasses.replace(own, ranked={k: v for k, v in own.ranked.items() if k != "taylor"})
    about = {"macs": own.macs // 2, "losses": losses(own.ranked["l1_norm"])}
    assert "bn_scale" not in baselines.cuts(few, **about)
    assert "taylor" not in baselines.cuts(none, **about)
    assert {"bn_scale", "taylor"} < set(baselines.cuts(own, **about))


def test_uniform_is_the_largest_same_share_within_the_macs_and_what_still_fits(encoded):
    widths = [choice[-1] for choice in encoded.choices]
    every = {}
    for share in (Fraction(k, 240) for k in range(241)):
        nearest = [
            max(range(len(c)), key=lambda i, c=c, w=share * w: (-abs(c[i] - w), i))
            for c, w in zip(encoded.choices, widths, strict=True)
        ]
        every[share] = tuple(nearest)
    for limit in limits(encoded):
        found = baselines.uniform(encoded, macs=limit)
        within = [genome for genome in every.values() if encoded.macs(genome) <= limit]
        assert encoded.macs(within[-1]) <= encoded.macs(found) <= limit
        assert all(a <= b for a, b in zip(within[-1], found, strict=True))


def test_uniform_keeps_the_same_share_as_far_as_steps_of_eight_allow(encoded):
    found = baselines.uniform(encoded, macs=encoded.macs(encoded.whole) // 2)
    wide = [
        count / choice[-1]
        for count, choice in zip(encoded.counts(found), encoded.choices, strict=True)
        if choice[-1] >= 96
    ]
    assert len(wide) > 10 and max(wide) - min(wide) <= 2 * 8 / 96


@pytest.mark.parametrize("relative", [True, False])
def test_a_threshold_keeps_the_filters_above_one_score(parent, encoded, relative):
    scores = {group.name: l1_norm.scores(parent, group, EVIDENCE) for group in encoded.groups}
    for limit in limits(encoded)[1:-1]:
        found = baselines.threshold(encoded, macs=limit, relative=relative)
        assert encoded.macs(found) <= limit
        halves = []  # per group: the scores that the threshold lies between, to the nearest choice
        for group, choice, value in zip(encoded.groups, encoded.choices, found, strict=True):
            own = scores[group.name] / (scores[group.name].mean() if relative else 1)
            falling = np.sort(own)[::-1]
            above = falling[-(-(choice[value] + choice[value - 1]) // 2) - 1] if value else np.inf
            after = choice[value + 1] if value + 1 < len(choice) else None
            below = falling[-(-(choice[value] + after) // 2) - 1] if after else -np.inf
            halves.append((below, above))
        # what no longer fits is passed over, so few groups may be a step off on either side
        middle = sorted(below for below, _ in halves)[-len(halves) // 4]
        off = [1 for below, above in halves if below > middle * 1.02 or above < middle * 0.98]
        assert len(off) <= len(halves) // 3


def test_a_group_of_good_filters_keeps_more_under_a_threshold(parent, encoded):
    def uneven(_, group, __):
        if group == encoded.groups[5]:
            return l1_norm.scores(parent, group, EVIDENCE)
        return np.where(np.arange(group.channels) < 8, 100.0, 0.1)

    expected = list(encoded.smallest)
    expected[5] = encoded.whole[5]
    limit = encoded.macs(tuple(expected))
    coded = encode(parent, uneven)
    assert baselines.threshold(coded, macs=limit, relative=True) == tuple(expected)


def test_relative_scores_leave_no_layer_behind_whose_weights_are_small(parent, encoded):
    def scaled(_, group, __):
        own = l1_norm.scores(parent, group, EVIDENCE)
        return own / 1000 if group == encoded.groups[5] else own

    coded, limit = encode(parent, scaled), encoded.macs(encoded.whole) // 2
    own = baselines.threshold(encoded, macs=limit, relative=True)
    assert baselines.threshold(coded, macs=limit, relative=True) == own
    assert baselines.threshold(coded, macs=limit, relative=False)[5] < own[5]


def test_everything_fits_where_all_macs_may_stay(encoded):
    whole = encoded.macs(encoded.whole)
    assert baselines.uniform(encoded, macs=whole) == encoded.whole
    assert baselines.threshold(encoded, macs=whole, relative=True) == encoded.whole


def test_too_few_macs_are_refused(encoded):
    least = encoded.macs(encoded.smallest)
    for found in (
        lambda: baselines.uniform(encoded, macs=least - 1),
        lambda: baselines.threshold(encoded, macs=least - 1, relative=True),
    ):
        with pytest.raises(ValueError, match=f"the smallest has {least:,}"):
            found()
