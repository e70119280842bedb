"""Who lives on is as good as whom pymoo keeps; where pymoo draws lots, we take the earlier."""

from __future__ import annotations

import numpy as np
import pytest
from pymoo.core.population import Population
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

from cxr import seeding
from cxr.evolution import sorting
from cxr.evolution.survival import orders, survivors
from tests.evolution.clouds import CLOUDS

FLAT = {name: cloud for name, cloud in CLOUDS.items() if cloud.shape[1] == 2}


def _pymoo(cloud: np.ndarray, size: int) -> list[int]:
    everyone = Population.new(F=cloud, index=np.arange(len(cloud)))
    rng = seeding.stream(1, "pymoo")
    kept = RankAndCrowding()._do(None, everyone, n_survive=size, random_state=rng)
    return [int(index) for index in kept.get("index")]


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=CLOUDS)
def test_survivors_are_those_of_pymoo(cloud: np.ndarray) -> None:
    """The same standings for every size; the same points where no two stand equal."""
    ranks, crowding = sorting.standing(cloud)
    crowding = crowding.round(9)  # pymoo's distances are summed in another order
    standings = list(zip(ranks.tolist(), (-crowding).tolist(), strict=True))
    ordered = sorted(standings)
    compared = 0
    for size in range(1, len(cloud) + 1):
        ours, theirs = survivors(cloud, size).tolist(), _pymoo(cloud, size)
        assert ours == sorted(set(ours)) and len(ours) == size
        assert sorted(standings[i] for i in ours) == sorted(standings[i] for i in theirs)
        if size == len(cloud) or ordered[size - 1] != ordered[size]:  # no lots to draw
            assert ours == sorted(theirs)
            compared += 1
    assert compared >= len(set(standings))


def test_equals_give_way_to_earlier_ones() -> None:
    assert survivors(np.ones((6, 2)), 4).tolist() == [0, 1, 2, 3]


def test_the_crowded_go_first() -> None:
    cloud = np.array([[0, 10], [4, 6], [5, 5], [5.5, 4.5], [10, 0]])
    assert survivors(cloud, 4).tolist() == [0, 1, 3, 4]
    assert survivors(cloud, 2).tolist() == [0, 4]


def test_all_live_where_there_is_room() -> None:
    assert survivors(CLOUDS["a chain"], 50).tolist() == list(range(9))


def test_with_a_reference_half_are_the_best_and_of_the_others_those_that_cover_least_go() -> None:
    cloud = np.array([[0.0, 9], [4, 5.0], [4.5, 4.6], [9, 0.5], [9.9, 0.0]])
    reference = (10.0, 10.0)
    assert survivors(cloud, 1, reference).tolist() == [0]
    assert survivors(cloud, 2, reference).tolist() == [0, 1]
    assert survivors(cloud, 4, reference).tolist() == [0, 1, 2, 3]  # the last: .1 by .5
    assert survivors(cloud, 3, reference).tolist() == [0, 1, 2]  # 4.5 by 5.4, the best being set
    assert survivors(cloud, 2).tolist() == [0, 4]  # without it the ends stay
    assert survivors(np.vstack([[[-1.0, 9.5]], cloud]), 2, reference).tolist() == [0, 2]


def test_a_cheap_network_at_chance_goes_before_a_good_one() -> None:
    """Objectives 1 - AUROC and MACs, a cap of 100: an end of the front, but nothing covered."""
    cloud = np.array([[0.50, 1.0], [0.10, 90.0], [0.15, 50.0], [0.12, 70.0]])
    assert survivors(cloud, 3, (0.5, 100.0)).tolist() == [1, 2, 3]
    assert 0 in survivors(cloud, 3)


def test_the_best_lives_however_little_it_covers() -> None:
    cloud = np.array([[0.099, 99.9], [0.1, 1.0], [0.2, 0.9], [0.3, 0.8]])
    assert survivors(cloud, 2, (0.5, 100.0)).tolist() == [0, 1]


@pytest.mark.parametrize("cloud", FLAT.values(), ids=FLAT)
def test_with_a_reference_the_best_come_first_then_whole_fronts(cloud: np.ndarray) -> None:
    for size in range(1, len(cloud) + 1):
        ours = survivors(cloud, size, (0.5, 0.5)).tolist()
        assert ours == sorted(set(ours)) and len(ours) == size
        keys = [(*point, place) for place, point in enumerate(cloud.tolist())]
        best = [place for *_, place in sorted(keys)[: -(-size // 2)]]
        assert set(best) <= set(ours)
        rest = [place for place in range(len(cloud)) if place not in best]
        ranks, _ = sorting.standing(cloud[rest])
        theirs = [rank for place, rank in zip(rest, ranks.tolist(), strict=True) if place in ours]
        assert sorted(theirs) == sorted(ranks.tolist())[: size - len(best)]


def test_orders_tell_by_what_is_covered_and_by_the_first_objective() -> None:
    cloud = np.array([[0.5, 1.0], [0.1, 90.0], [0.2, 50.0], [0.2, 60.0]])
    by_front, by_score = orders(cloud, (0.5, 100.0))
    assert np.argsort(by_score, axis=0)[:, 0].tolist()[0] == 1 and by_score[2] < by_score[3]
    assert [rank for rank, _ in by_front] == [0, 0, 0, 1]
    assert by_front[2] < by_front[1] < by_front[0]  # .3 by 40, .1 by 10, nothing
    assert len(orders(cloud)) == 1


def test_equals_give_way_to_earlier_ones_with_a_reference_too() -> None:
    assert survivors(np.ones((6, 2)), 4, (2.0, 2.0)).tolist() == [0, 1, 2, 3]
