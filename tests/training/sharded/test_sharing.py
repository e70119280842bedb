"""A sharded training in one process: it learns, repeats, and shows the images that it always showed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from cxr import numerics
from cxr.training import batches, distillation, loop
from cxr.training.network import build
from cxr.training.recipe import Distillation, Recipe
from cxr.training.sharded.sharing import Sharing
from cxr.training.sharded.team import Alone
from tests.training.recipes import TINY, tiny
from tests.training.test_loop import STREAM, bright_or_dark, digest, fit

numerics.exact_torch()


@dataclasses.dataclass(frozen=True)
class Second(Alone):
    """The second of three: what it would be given can be seen without the others."""

    rank: int = 1
    size: int = 3

    def gather(self, rows_RF: torch.Tensor, items: int) -> list[torch.Tensor]:
        """Take one's own for everybody's."""
        return [rows_RF[0]] * items


def sharing(recipe: Recipe, team: Alone, *, train: int = 22, val: int = 70) -> Sharing:
    network = build(recipe, labels=2, seed=1, fold=0)
    learnt, judged = bright_or_dark(train, seed=2), bright_or_dark(val, seed=3)
    feed = batches.Images(learnt.images_NHW, judged.images_NHW, recipe, 1, STREAM)
    return Sharing(network, feed, (learnt.labels_NL, judged.labels_NL), team)


def test_shards_change_bytes_repeat_and_learn() -> None:
    flat = {**TINY["augmentation"], "brightness": 0.0}
    whole, two, again, four = (
        fit(tiny(epochs=4, backbone="resnet10t", augmentation=flat, shards=shards))
        for shards in (1, 2, 2, 4)
    )
    assert len({digest(whole), digest(two), digest(four)}) == 3
    assert digest(two) == digest(again) and two.history == again.history
    assert min(x.history[-1].val_auroc for x in (whole, two, four)) > 0.95


@pytest.mark.parametrize("changes", [{"mixup": 0.4}, {"head": {**TINY["head"], "dropout": 0.5}}])
def test_every_shard_draws_for_itself_and_the_same_each_time(changes: dict[str, object]) -> None:
    plain, drawn, again = (fit(tiny(shards=2, **x)) for x in ({}, changes, changes))
    assert digest(plain) != digest(drawn) == digest(again)


def test_a_teacher_is_heard() -> None:
    recipe = tiny(shards=2)
    teacher, part = build(recipe, labels=2, seed=5, fold=0), bright_or_dark(16, seed=2)

    def taught(weight: float) -> str:
        settings = Distillation(weight=weight, temperature=2.0)
        return digest(
            loop.fit(
                build(recipe, labels=2, seed=1, fold=0), recipe, train=part, val=part, seed=1,
                stream=STREAM, steps=2, teacher=distillation.Teacher(teacher, settings),
            )
        )  # fmt: skip

    assert taught(0.0) != taught(0.9)


def test_images_are_those_of_an_unsharded_training_cut_in_order() -> None:
    recipe = tiny(shards=4)
    whole, part = sharing(recipe, Alone()), sharing(recipe, Second())
    plain = whole.images.batches(1)
    for (positions, images), (same, all_images), (again, own) in zip(
        plain, whole.batches(1), part.batches(1), strict=True
    ):
        assert np.array_equal(positions, same) and np.array_equal(positions, again)
        assert torch.equal(images, all_images)
        assert torch.equal(images[2:4], own)  # of 4 shards of 2, the second of three has one


def test_val_is_shared_by_blocks_and_comes_together_again() -> None:
    alone, second = (sharing(tiny(shards=4), x, val=150) for x in (Alone(), Second()))
    blocks = list(alone.val())
    assert [len(x) for x in blocks] == [64, 64, 22]
    assert torch.equal(next(second.val()), blocks[1])
    raw = [x.flatten(1)[:, :2] for x in blocks]
    assert torch.equal(alone.scores(raw, 2), torch.cat(raw))


def test_too_few_images_for_the_shards_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a batch of 7 images can't be cut into 4 shards"):
        sharing(tiny(shards=4), Alone(), train=7)
