"""Halving: all are judged cheaply, the best again; who goes on is who would survive."""

from __future__ import annotations

import numpy as np
import pytest

from cxr.evolution import halving, survival
from cxr.evolution.genes import Asked, Evaluated
from tests.evolution.clouds import CLOUDS
from tests.evolution.problems import climb

FLAT = {name: cloud for name, cloud in CLOUDS.items() if cloud.shape[1] == 2}
GENOMES = [(value,) for value in (5, 3, 8, 1, 9, 2)]


def _worse_than(asked: Asked) -> tuple[float, ...]:
    """Rung 0 likes small values, rung 1 large ones; all are equally expensive."""
    return (float(asked.genome[0] if asked.rung == 0 else -asked.genome[0]), 1.0)


def test_all_are_judged_at_rung_0_and_the_best_again() -> None:
    found = climb(halving.climb(7, GENOMES, [6, 3, 1]), _worse_than)
    assert [(member.rung, member.genome[0]) for member in found] == [
        *((0, value) for value in (5, 3, 8, 1, 9, 2)),
        *((1, value) for value in (3, 1, 2)),  # in the order of the generation
        (2, 3),  # judged best at rung 1, although worst of the three at rung 0
    ]
    assert {member.generation for member in found} == {7}
    assert found[6] == Evaluated(7, 1, (3,), (-3.0, 1.0))


def test_one_rung_is_a_plain_generation() -> None:
    search = halving.climb(0, GENOMES, [6])
    assert next(search) == [Asked(genome, 0) for genome in GENOMES]
    with pytest.raises(StopIteration):
        search.send([(0.0,)] * 6)


def test_where_a_generation_is_smaller_than_a_rung_all_of_it_goes_on() -> None:
    found = climb(halving.climb(0, GENOMES[:2], [6, 3, 1]), _worse_than)
    assert [member.rung for member in found] == [0, 0, 1, 1, 2]


@pytest.mark.parametrize("reference", [None, (0.5, 0.5), (9.0, 9.0)])
@pytest.mark.parametrize("cloud", FLAT.values(), ids=FLAT)
def test_who_goes_on_is_who_survives(
    cloud: np.ndarray, reference: survival.Reference | None
) -> None:
    genomes = [(place,) for place in range(len(cloud))]
    for count in range(1, len(cloud)):
        found = climb(
            halving.climb(0, genomes, [len(cloud), count], reference),
            lambda asked: tuple(cloud[asked.genome[0]].tolist()),
        )
        on = [member.genome[0] for member in found if member.rung == 1]
        assert on == survival.survivors(cloud, count, reference).tolist()


def test_only_the_top_rung_is_compared_in_earnest() -> None:
    found = climb(halving.climb(0, GENOMES, [6, 3, 1]), _worse_than)
    assert [member.genome for member in halving.at_top(found, [6, 3, 1])] == [(3,)]
    assert halving.at_top(found[:6], [6]) == found[:6]
