"""Children take after their parents; mutation stays in range and prefers near values of ordered genes."""

from __future__ import annotations

import numpy as np
import pytest

from cxr import seeding
from cxr.evolution import variation
from cxr.evolution.genes import Gene

TRIES = 4000


def _mutants(value: int, gene: Gene) -> np.ndarray:
    """How often mutation of this single gene gives each value (with one gene it always changes)."""
    drawn = [
        variation.mutate((value,), [gene], rng=seeding.stream(1, "mutation", i))[0]
        for i in range(TRIES)
    ]
    assert min(drawn) >= 0 and max(drawn) < gene.size
    return np.bincount(drawn, minlength=gene.size) / TRIES


@pytest.mark.parametrize("value", range(5))
def test_an_unordered_gene_takes_every_other_value_equally_often(value: int) -> None:
    expected = np.full(5, 1 / 4)
    expected[value] = 0
    found = _mutants(value, Gene(name="block", size=5, ordered=False))
    np.testing.assert_allclose(found, expected, atol=0.03)


@pytest.mark.parametrize("value", [0, 7, 15])
def test_an_ordered_gene_steps_to_near_values(value: int) -> None:
    shares = _mutants(value, Gene(name="width", size=16, ordered=True))
    distances = np.abs(np.arange(16) - value)
    assert shares[value] == 0
    assert (
        sorted(np.flatnonzero(shares))
        == np.flatnonzero((distances > 0) & (distances <= 4)).tolist()
    )
    by_distance = [shares[distances == d].mean() for d in range(1, 5)]
    assert by_distance == sorted(by_distance, reverse=True)


@pytest.mark.parametrize("size", [2, 3])
def test_short_ordered_genes_step_by_one(size: int) -> None:
    shares = _mutants(0, Gene(name="depth", size=size, ordered=True))
    assert shares.tolist() == [0.0, 1.0, 0.0][:size]


def test_one_gene_changes_on_average_and_those_without_choice_never() -> None:
    genes = [Gene(name=str(i), size=1 if i % 2 else 6, ordered=False) for i in range(20)]
    parent = (0,) * 20
    changed = np.array(
        [
            np.array(variation.mutate(parent, genes, rng=seeding.stream(2, "mutation", i))) > 0
            for i in range(TRIES)
        ]
    )
    assert changed.sum(axis=1).mean() == pytest.approx(1.0, abs=0.06)
    assert not changed[:, 1::2].any()


def test_genes_without_any_choice_stay() -> None:
    genes = [Gene(name="only", size=1, ordered=True)]
    assert variation.mutate((0,), genes, rng=seeding.stream(1)) == (0,)


def _children(genes: list[Gene]) -> np.ndarray:
    """Children of parents of zeros and of ones."""
    one, other = (0,) * len(genes), (1,) * len(genes)
    return np.array(
        [
            variation.crossover(one, other, genes, rng=seeding.stream(1, "cross", i))
            for i in range(TRIES)
        ]
    )


def test_crossover_takes_each_gene_from_either_parent() -> None:
    children = _children([Gene(name=str(i), size=2, ordered=True) for i in range(30)])
    mixed = children.any(axis=1)
    assert mixed.mean() == pytest.approx(variation.CROSSOVER, abs=0.03)
    np.testing.assert_allclose(children[mixed].mean(axis=0), np.full(30, 0.5), atol=0.04)


def test_half_of_the_children_inherit_groups_whole() -> None:
    """Three groups of eight genes, one of them scattered, and six genes that stand for themselves."""
    names = ["a"] * 8 + ["b", ""] * 6 + ["c"] * 8 + ["b"] * 2
    genes = [Gene(name=str(i), size=2, ordered=True, group=g) for i, g in enumerate(names)]
    children = _children(genes)
    places = {name: [i for i, own in enumerate(names) if own == name] for name in "abc"}
    assert [len(own) for own in places.values()] == [8, 8, 8]
    whole = {
        name: (children[:, own] == children[:, own[:1]]).all(axis=1) for name, own in places.items()
    }
    mixed = children.any(axis=1)
    assert mixed.mean() == pytest.approx(variation.CROSSOVER, abs=0.03)
    for name in places:  # taken gene by gene, 8 genes come from one parent in 1 of 128 children
        assert whole[name][mixed].mean() == pytest.approx(0.5, abs=0.04)
    assert (whole["a"] == whole["b"]).mean() > 0.98 < (whole["b"] == whole["c"]).mean()
    np.testing.assert_allclose(children[mixed].mean(axis=0), np.full(len(genes), 0.5), atol=0.04)
    together = children[whole["a"] & whole["b"] & whole["c"] & mixed]
    heads = together[:, [own[0] for own in places.values()]]
    assert len({tuple(row) for row in heads.tolist()}) == 8  # which parent is drawn per group
