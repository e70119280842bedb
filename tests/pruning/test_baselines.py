"""The baselines: the largest uniform cut and the lowest global threshold within the MACs."""

from fractions import Fraction

import numpy as np
import pytest

from cxr import numerics
from cxr.pruning import baselines
from cxr.pruning.criteria import l1_norm
from tests.pruning.parents import network
from tests.pruning.test_encoding import encode
from tests.training.recipes import tiny

numerics.exact_torch()


@pytest.fixture(scope="module")
def parent():
    return network(tiny())


@pytest.fixture(scope="module")
def encoded(parent):
    return encode(parent)


@pytest.fixture(scope="module")
def scores(parent, encoded):
    return {group.name: l1_norm.scores(parent, group) for group in encoded.groups}


def limits(encoded):
    least, whole = encoded.macs(encoded.smallest), encoded.macs(encoded.whole)
    return [least, *(least + (whole - least) * k // 7 for k in range(1, 7)), whole - 1, whole]


def test_uniform_is_the_largest_same_share_within_the_macs(encoded):
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
    assert len(wide) > 10 and max(wide) - min(wide) <= 8 / 96


def test_global_threshold_keeps_the_filters_above_one_score(encoded, scores):
    for limit in limits(encoded)[1:-1]:
        found = baselines.global_threshold(encoded, scores, macs=limit)
        assert encoded.macs(found) <= limit
        lowest, highest = 0.0, np.inf  # the threshold lies between them
        for group, choice, count in zip(
            encoded.groups, encoded.choices, encoded.counts(found), strict=True
        ):
            relative = np.sort(scores[group.name] / scores[group.name].mean())[::-1]
            place = choice.index(count)
            if place + 1 < len(choice):  # fewer filters reach it than half way to the next choice
                lowest = max(lowest, relative[-(-(count + choice[place + 1]) // 2) - 1])
            if place:  # as many reach it as half way from the choice before
                highest = min(highest, relative[(count + choice[place - 1] + 1) // 2 - 1])
        assert lowest < highest


def test_a_group_of_good_filters_keeps_more_under_a_global_threshold(encoded, scores):
    uneven = {name: np.where(np.arange(len(s)) < 8, 100.0, 0.1) for name, s in scores.items()}
    uneven[encoded.groups[5].name] = scores[encoded.groups[5].name]
    expected = list(encoded.smallest)
    expected[5] = encoded.whole[5]
    limit = encoded.macs(tuple(expected))
    assert baselines.global_threshold(encoded, uneven, macs=limit) == tuple(expected)


def test_everything_fits_where_all_macs_may_stay(encoded, scores):
    whole = encoded.macs(encoded.whole)
    assert baselines.uniform(encoded, macs=whole) == encoded.whole
    assert baselines.global_threshold(encoded, scores, macs=whole) == encoded.whole


def test_too_few_macs_are_refused(encoded, scores):
    least = encoded.macs(encoded.smallest)
    for found in (
        lambda: baselines.uniform(encoded, macs=least - 1),
        lambda: baselines.global_threshold(encoded, scores, macs=least - 1),
    ):
        with pytest.raises(ValueError, match=f"the smallest has {least:,}"):
            found()
