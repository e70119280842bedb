"""A fold made ready to be cut: ranked on images of train alone, and timed where there is a table."""

import dataclasses

import numpy as np
import pytest

from cxr import numerics, prepared
from cxr.pruning import cutting, fitness, start
from cxr.training import loop, models
from tests.pruning.parents import SIZE, begin, fold, make

numerics.exact_torch()


@pytest.fixture
def folder(tmp_path):
    make(tmp_path)
    return tmp_path


def test_every_criterion_ranks_the_parent(folder):
    made = begin(folder)
    member = models.load(folder / "data/models/toy", 0)
    names = [group.name for group in cutting.groups(member.network, size_px=SIZE)]
    assert [group.name for group in made.space.groups] == names
    assert sorted(made.space.ranked) == [
        "bn_scale",
        "l1_norm",
        "random",
        "reconstruction",
        "taylor",
    ]
    images = prepared.read(folder / "data/prepared").gather(made.fold.recalibration_rows)
    said = loop.raw_scores(member.network, member.recipe, images).numpy()
    assert np.array_equal(made.taught_NL, said) and np.array_equal(said, fitness.taught(made.fold))
    assert made.timing is None


def test_the_criterion_and_the_encoding_of_the_search_are_those_asked_for(folder):
    by_taylor, by_mask = begin(folder, criterion="taylor"), begin(folder, encoding="mask")
    assert by_taylor.space.encoding.members == by_taylor.space.ranked["taylor"].members
    assert by_taylor.space.encoding.members != by_taylor.space.ranked["l1_norm"].members
    assert by_mask.space.encoding.whole == (1,) * len(by_mask.space.encoding.whole)
    assert len(by_mask.space.encoding.genes) > len(by_taylor.space.encoding.genes)


def test_all_cuts_go_in_the_steps_that_are_asked_for(folder):
    space = begin(folder, multiple=4).space
    for encoded in (space.encoding, *space.ranked.values()):
        for group, choice in zip(encoded.groups, encoded.choices, strict=True):
            assert choice == (*range(4, group.channels, 4), group.channels)


def test_only_images_of_recalibration_rank(folder):
    before = begin(folder)
    images = prepared.read(folder / "data/prepared")
    pixels = images.gather(np.arange(len(images.index)))
    pixels[np.setdiff1d(np.arange(len(pixels)), before.fold.recalibration_rows)] = 0
    prepared.write(folder / "data/prepared", pixels.__getitem__, images.index)
    after = begin(folder)
    for name, code in after.space.ranked.items():
        assert code.members == before.space.ranked[name].members
    assert np.array_equal(after.taught_NL, before.taught_NL)
    pixels[before.fold.recalibration_rows] = 255 - pixels[before.fold.recalibration_rows]
    prepared.write(folder / "data/prepared", pixels.__getitem__, images.index)
    assert not np.array_equal(begin(folder).taught_NL, before.taught_NL)


def test_the_seed_draws_the_random_order(folder):
    task = start.Task(
        fold=fold(folder), criterion="random", encoding="counts", multiple=8, table=None, seed=7
    )
    orders = [
        start.make(dataclasses.replace(task, seed=seed)).space.encoding.members
        for seed in (7, 7, 8)
    ]
    assert orders[0] == orders[1] != orders[2]
