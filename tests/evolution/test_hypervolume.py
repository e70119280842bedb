"""The dominated area is pymoo's, and that of a drawing by hand."""

from __future__ import annotations

import numpy as np
import pytest
from pymoo.indicators.hv import HV

from cxr.evolution import sorting
from cxr.evolution.hypervolume import contributions, covered, hypervolume
from tests.evolution.clouds import CLOUDS

FLAT = {name: cloud for name, cloud in CLOUDS.items() if cloud.shape[1] == 2}


@pytest.mark.parametrize("cloud", FLAT.values(), ids=FLAT)
def test_hypervolume_is_that_of_pymoo(cloud: np.ndarray) -> None:
    for share in (0.5, 1.1):  # a reference in the middle of the points and one beyond them
        low, high = cloud.min(axis=0), cloud.max(axis=0)
        reference = low + share * (high - low) + 0.1
        expected = HV(ref_point=reference)(cloud)
        found = hypervolume(cloud, (float(reference[0]), float(reference[1])))
        assert found == pytest.approx(expected, rel=1e-9)


def test_hypervolume_of_a_small_example() -> None:
    """Three steps down to the right, a dominated point, one beyond the reference, one twice."""
    cloud = np.array([[1, 3], [2, 2], [3, 1], [3, 3], [9, 0], [2, 2.0]])
    assert hypervolume(cloud, (4.0, 4.0)) == 3 + 2 + 1


@pytest.mark.parametrize("cloud", FLAT.values(), ids=FLAT)
def test_a_contribution_is_what_is_lost_without_the_point(cloud: np.ndarray) -> None:
    for share in (0.5, 1.1):
        low, high = cloud.min(axis=0), cloud.max(axis=0)
        x, y = low + share * (high - low) + 0.1
        reference = float(x), float(y)
        for front in sorting.fronts(cloud):
            points = cloud[front]
            whole = hypervolume(points, reference)
            lost = [
                whole - hypervolume(np.delete(points, place, axis=0), reference)
                for place in range(len(points))
            ]
            assert contributions(points, reference) == pytest.approx(
                lost, rel=1e-9, abs=1e-12 * max(whole, 1)
            )


def test_contributions_of_a_small_example() -> None:
    """Three steps, the middle one twice, one beyond the reference."""
    front = np.array([[1, 3], [2, 2], [3, 1], [9, 0], [2, 2.0]])
    assert contributions(front, (4.0, 4.0)).tolist() == [1, 0, 1, 0, 0]
    assert contributions(front[:4], (4.0, 4.0)).tolist() == [1, 1, 1, 0]


def test_nothing_dominates_nothing() -> None:
    assert hypervolume(np.empty((0, 2)), (1.0, 1.0)) == 0.0
    assert hypervolume(np.ones((3, 2)), (1.0, 1.0)) == 0.0


def test_covered_is_a_share_of_auroc_above_chance_by_macs_below_the_cap() -> None:
    assert covered([0.75], [250], max_macs=1000) == 0.5 * 0.75
    assert covered([1.0], [0], max_macs=1000) == 1.0
    assert covered([0.5, 0.9], [10, 1000], max_macs=1000) == 0.0
