"""Every draw is keyed: by seed and names, by nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import numpy as np
import pytest
import torch

from cxr import seeding

GOLDEN_KEY = 164421071401545556040224325354077956954
GOLDEN_NUMPY = [335, 559, 878, 140]
GOLDEN_TORCH = [971, 308, 936, 670]


def test_the_same_names_give_the_same_draws() -> None:
    first, second = (seeding.stream(1, "augment", 3, 4).random(5) for _ in range(2))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize(
    "other", [(2, "a", 1), (1, "b", 1), (1, "a", 2), (1, "a"), (1, "a", 1, 0), (1, "a", "1")]
)
def test_another_seed_or_name_gives_other_draws(other: tuple[int, *tuple[str | int, ...]]) -> None:
    assert seeding.key(*other) != seeding.key(1, "a", 1)
    assert seeding.stream(*other).random() != seeding.stream(1, "a", 1).random()


def test_names_do_not_run_together() -> None:
    assert seeding.key(1, "ab", "c") != seeding.key(1, "a", "bc") != seeding.key(1, "abc")


def test_streams_do_not_feel_each_other() -> None:
    one = seeding.stream(1, "one")
    alone = seeding.stream(1, "one").random(4)
    mixed = []
    for _ in range(4):
        mixed.append(one.random())
        seeding.stream(1, "other").random(7)
    assert mixed == alone.tolist()


def test_draws_are_those_of_the_first_release() -> None:
    """Known values: a change here changes every result that was ever recorded."""
    assert seeding.key(1, "a", 2) == GOLDEN_KEY
    assert seeding.stream(1, "a", 2).integers(0, 1000, 4).tolist() == GOLDEN_NUMPY
    draws = torch.randint(0, 1000, (4,), generator=seeding.torch_stream(1, "a", 2))
    assert draws.tolist() == GOLDEN_TORCH


def test_a_new_process_draws_the_same(
    python: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    program = "from cxr import seeding; print(seeding.stream(1, 'ä', 2).integers(0, 10**9))"
    expected = f"{seeding.stream(1, 'ä', 2).integers(0, 10**9)}\n"
    for hash_seed in ("0", "123"):
        assert python("-c", program, env={"PYTHONHASHSEED": hash_seed}).stdout == expected


def test_uniform_draws_of_many_streams_are_uniform() -> None:
    """First draws of neighbouring streams, which a poor key would correlate."""
    draws = np.array([seeding.stream(1, "index", i).random() for i in range(4000)])
    counts = np.histogram(draws, bins=10, range=(0, 1))[0]
    assert ((counts - 400) ** 2 / 400).sum() < 27.9  # chi-squared, 9 degrees of freedom, p = .001
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.05


def test_torch_global_is_keyed_and_put_back() -> None:
    before = torch.random.get_rng_state()
    inside = []
    for _ in range(2):
        with seeding.torch_global(1, "weights"):
            inside.append(torch.rand(3))
    assert torch.equal(*inside)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_torch_global_is_put_back_after_an_error() -> None:
    before = torch.random.get_rng_state()
    with pytest.raises(ZeroDivisionError), seeding.torch_global(1, "weights"):
        torch.rand(3)
        _ = 1 // 0
    assert torch.equal(torch.random.get_rng_state(), before)


def test_numpys_global_generator_is_left_alone() -> None:
    before = np.random.get_state(legacy=False)["state"]["key"].tobytes()  # noqa: NPY002
    seeding.stream(1, "a").random(10)
    assert np.random.get_state(legacy=False)["state"]["key"].tobytes() == before  # noqa: NPY002
