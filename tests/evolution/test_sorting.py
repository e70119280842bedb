"""Fronts and crowding distances are those of the paper's words, and of pymoo."""

from __future__ import annotations

import numpy as np
import pytest
from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from cxr.evolution import sorting
from tests.evolution.clouds import CLOUDS

clouds = pytest.mark.parametrize("cloud", CLOUDS.values(), ids=CLOUDS)


@clouds
def test_fronts_are_those_of_pymoo(cloud: np.ndarray) -> None:
    theirs = [sorted(front.tolist()) for front in NonDominatedSorting().do(cloud)]
    assert [front.tolist() for front in sorting.fronts(cloud)] == theirs
    assert sorting.front(cloud).tolist() == theirs[0]


@clouds
def test_crowding_is_that_of_pymoo(cloud: np.ndarray) -> None:
    """pymoo gives the mean over objectives, the paper and we the sum; both for each front."""
    for front in sorting.fronts(cloud):
        ours = sorting.crowding(cloud[front])
        if len(front) <= 2:
            assert np.isinf(ours).all()
        else:
            theirs = calc_crowding_distance(cloud[front]) * cloud.shape[1]
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_fronts_of_a_small_example() -> None:
    cloud = np.array([[2, 2], [1, 3], [3, 1], [3, 3], [2, 2], [4, 4.0]])
    assert [front.tolist() for front in sorting.fronts(cloud)] == [[0, 1, 2, 4], [3], [5]]


def test_crowding_of_a_small_example() -> None:
    """By hand: objective one ranges over 4, objective two over 8."""
    cloud = np.array([[1, 5], [0, 8], [4, 0], [2, 1.0]])
    expected = [2 / 4 + 7 / 8, np.inf, np.inf, 3 / 4 + 5 / 8]
    assert sorting.crowding(cloud).tolist() == expected


def test_an_objective_that_says_nothing_adds_nothing() -> None:
    assert sorting.crowding(CLOUDS["all equal"]).tolist() == [0.0] * 7
    alone = sorting.crowding(CLOUDS["one objective constant"][:, :1])
    assert sorting.crowding(CLOUDS["one objective constant"]).tolist() == alone.tolist()


@clouds
def test_standing_is_front_and_crowding_of_each(cloud: np.ndarray) -> None:
    ranks, crowding = sorting.standing(cloud)
    for rank, front in enumerate(sorting.fronts(cloud)):
        assert np.flatnonzero(ranks == rank).tolist() == front.tolist()
        assert crowding[front].tolist() == sorting.crowding(cloud[front]).tolist()


def test_nothing_has_no_front() -> None:
    assert sorting.fronts(np.empty((0, 2))) == []
    assert sorting.front(np.empty((0, 2))).tolist() == []
