"""A tournament of two: the lower rank wins, then the greater distance, then the first drawn."""

from __future__ import annotations

import numpy as np

from cxr import seeding
from cxr.evolution.selection import tournament

GAMES = 4000


def _shares(*orders: list[tuple[float, float]]) -> np.ndarray:
    """How often each member wins."""
    winners = [
        tournament(orders, rng=seeding.stream(1, "selection", game)) for game in range(GAMES)
    ]
    return np.bincount(winners, minlength=len(orders[0])) / GAMES


def _order(ranks: list[int], crowding: list[float]) -> list[tuple[float, float]]:
    return [(rank, -distance) for rank, distance in zip(ranks, crowding, strict=True)]


def test_rank_comes_before_distance() -> None:
    """Of two members the better wins unless the worse is drawn twice, in a quarter of the games."""
    np.testing.assert_allclose(_shares(_order([1, 0], [np.inf, 0.0])), [1 / 4, 3 / 4], atol=0.03)


def test_distance_decides_within_a_rank() -> None:
    shares = _shares(_order([0, 0, 0], [1.0, np.inf, 2.0]))
    np.testing.assert_allclose(shares, [1 / 9, 5 / 9, 3 / 9], atol=0.03)


def test_equals_win_equally_often() -> None:
    np.testing.assert_allclose(_shares(_order([0] * 4, [np.inf] * 4)), [1 / 4] * 4, atol=0.03)


def test_of_two_orders_each_decides_half_of_the_games() -> None:
    one, other = [(0.0, 0.0), (1.0, 0.0), (1.0, 0.0)], [(1.0, 0.0), (1.0, 0.0), (0.0, 0.0)]
    np.testing.assert_allclose(_shares(one, other), [7 / 18, 4 / 18, 7 / 18], atol=0.03)
