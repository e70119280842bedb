"""Sensitivity: which networks are looked at, and that groups keep channels by what their loss says."""

import pytest

from cxr import numerics
from cxr.pruning import sensitivity
from tests.pruning.parents import network
from tests.pruning.test_encoding import encode
from tests.training.recipes import tiny

numerics.exact_torch()


@pytest.fixture(scope="module")
def encoded():
    return encode(network(tiny()))


def told(encoded, rise):
    """Return the losses of what is asked for; `rise` says by gene and share kept how much is added."""
    found = {encoded.whole: 2.0}
    for genome in sensitivity.asked(encoded):
        (gene,) = cut(encoded, genome)
        found[genome] = 2.0 + rise(
            gene, encoded.counts(genome)[gene] / encoded.groups[gene].channels
        )
    return found


def cut(encoded, genome):
    return [gene for gene, value in enumerate(genome) if value != encoded.whole[gene]]


def shares(encoded, genome):
    counts = zip(encoded.counts(genome), encoded.groups, strict=True)
    return [count / group.channels for count, group in counts]


def test_each_group_alone_is_cut_to_a_quarter_a_half_and_three_quarters(encoded):
    asked = sensitivity.asked(encoded)
    assert len(set(asked)) == len(asked) and all(len(cut(encoded, genome)) == 1 for genome in asked)
    for gene, choice in enumerate(encoded.choices):
        own = [choice[genome[gene]] for genome in asked if cut(encoded, genome) == [gene]]
        wanted = [
            min(choice, key=lambda count, share=share: (abs(count - share * choice[-1]), -count))
            for share in (0.25, 0.5, 0.75)
        ]
        assert own == sorted({count for count in wanted if count < choice[-1]})
        assert own, "a group that nobody looks at could not be cut by what it feels"


def test_where_all_feel_the_same_the_cut_is_uniform(encoded):
    limit = encoded.macs(encoded.whole) // 2
    found = sensitivity.genome(encoded, told(encoded, lambda _, share: 1 - share), macs=limit)
    assert 0.97 * limit <= encoded.macs(found) <= limit
    wide = [s for s, group in zip(shares(encoded, found), encoded.groups, strict=True) if group.channels >= 96]  # fmt: skip
    assert len(wide) > 10 and max(wide) - min(wide) < 0.2


def test_groups_that_feel_a_cut_keep_more(encoded):
    limit = encoded.macs(encoded.whole) // 2

    def rise(gene, share):
        return (1 - share) * (10 if gene % 3 == 0 else 0.1)

    found = shares(encoded, sensitivity.genome(encoded, told(encoded, rise), macs=limit))
    tough = [share for gene, share in enumerate(found) if gene % 3]
    assert min(found[::3]) == 1 and sum(tough) / len(tough) < 0.6


def test_all_raise_the_loss_alike(encoded):
    """With a rise of (1 - share) x weight and one t for all, share = 1 - t / weight."""
    weights = [1 + gene % 4 for gene in range(len(encoded.genes))]
    losses = told(encoded, lambda gene, share: (1 - share) * weights[gene])
    found = sensitivity.genome(encoded, losses, macs=int(0.6 * encoded.macs(encoded.whole)))
    raised = [
        (1 - share) * weight
        for share, weight, group in zip(shares(encoded, found), weights, encoded.groups, strict=True)
        if group.channels >= 96
    ]  # fmt: skip
    assert max(raised) - min(raised) < 4 * 8 / 96 + 0.1


def test_a_group_that_feels_nothing_goes_first_and_a_gain_counts_as_less_than_nothing(encoded):
    whole = encoded.macs(encoded.whole)
    widest = max(range(len(encoded.genes)), key=lambda gene: encoded.groups[gene].channels)

    def rise(gene, share):
        return -0.01 if gene == widest else 1 - share

    lone = (*encoded.whole[:widest], 0, *encoded.whole[widest + 1 :])
    found = sensitivity.genome(encoded, told(encoded, rise), macs=(whole + encoded.macs(lone)) // 2)
    assert found[widest] < encoded.whole[widest]
    assert cut(encoded, found) == [widest]


def test_fewer_channels_that_do_better_than_more_are_taken_at_once(encoded):
    """A half that is worse than a quarter, by chance, does not stop the cut at three quarters."""
    widest = max(range(len(encoded.genes)), key=lambda gene: encoded.groups[gene].channels)

    def rise(gene, share):
        if gene != widest:
            return 10.0 * (1 - share) + 1
        return 5.0 if 0.4 < share < 0.6 else 0.1

    quarter = min(
        range(len(encoded.choices[widest])),
        key=lambda value: abs(encoded.choices[widest][value] - encoded.choices[widest][-1] / 4),
    )
    lone = (*encoded.whole[:widest], quarter, *encoded.whole[widest + 1 :])
    found = sensitivity.genome(encoded, told(encoded, rise), macs=encoded.macs(lone))
    assert found == lone


def test_any_number_of_macs_can_be_reached_and_more_macs_keep_more(encoded):
    losses = told(encoded, lambda gene, share: (1 - share) ** 2 * (gene % 7))
    least, whole = encoded.macs(encoded.smallest), encoded.macs(encoded.whole)
    assert sensitivity.genome(encoded, losses, macs=least) == encoded.smallest
    assert sensitivity.genome(encoded, losses, macs=whole) == encoded.whole
    with pytest.raises(ValueError, match=f"the smallest has {least:,}"):
        sensitivity.genome(encoded, losses, macs=least - 1)
    for limit in (int(0.15 * whole), int(0.3 * whole), int(0.7 * whole)):
        found = sensitivity.genome(encoded, losses, macs=limit)
        assert 0.97 * limit <= encoded.macs(found) <= limit


def test_a_loss_that_is_missing_is_our_own_bug(encoded):
    losses = told(encoded, lambda *_: 0.0)
    losses.pop(sensitivity.asked(encoded)[3])
    with pytest.raises(KeyError):
        sensitivity.genome(encoded, losses, macs=encoded.macs(encoded.whole) // 2)
