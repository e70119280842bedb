"""Who lives on is as good as whom pymoo keeps; where pymoo draws lots, we take the earlier."""

from __future__ import annotations

import numpy as np
import pytest
from pymoo.core.population import Population
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

from cxr import seeding
from cxr.evolution import sorting
from cxr.evolution.survival import survivors
from tests.evolution.clouds import CLOUDS


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
