"""Fitness: cut, recalibrated and scored on search_val, and nothing else is looked at."""

import numpy as np
import pytest
import torch

from cxr import artifacts, numerics, prepared
from cxr.metrics import auroc, cost
from cxr.pruning import cutting, fitness
from cxr.training import loop, models
from cxr.training.network import build
from tests.pruning.parents import SIZE, costs, fold, make, small
from tests.training import scored

numerics.exact_torch()


@pytest.fixture
def first(tmp_path):
    make(tmp_path)
    return fold(tmp_path)


def half(first):
    member = models.load(first.model, 0)
    groups = cutting.groups(member.network, size_px=SIZE)
    return {group.name: list(range(0, group.channels, 2)) for group in groups}


def task(first, kept=None):
    kept = half(first) if kept is None else kept
    return fitness.Task(first, fitness.taught(first), kept, costs(first.model))


def cut(first):
    """Return the half network and its recipe, and the images."""
    images, member = prepared.read(first.prepared_folder), models.load(first.model, 0)
    cutting.carve(member.network, member.recipe, half(first), images, first)
    return member.network, member.recipe, images


def test_it_says_what_the_cut_and_recalibrated_network_scores(first):
    found = fitness.evaluate(task(first))
    network, recipe, images = cut(first)
    labels = np.eye(2, dtype=np.float32)[1 - first.search_val_rows % 2]
    scores = scored.probabilities(network, recipe, images.gather(first.search_val_rows))
    assert found["auroc"] == float(auroc.macro(labels, scores))
    assert found["loss"] == pytest.approx(-np.log((scores * labels).sum(axis=1)).mean(), rel=1e-4)
    each = auroc.per_label(labels, scores)
    assert found["labels"] == {"a": each[0], "b": each[1]}
    assert found["macs"] == cost.macs(network, size_px=SIZE)
    assert found["parameters"] == cost.parameters(network)


def test_the_distance_is_from_the_parent_as_it_was_trained_on_images_of_train(first):
    found = fitness.evaluate(task(first))
    network, recipe, images = cut(first)
    seen = images.gather(first.recalibration_rows)
    whole = models.load(first.model, 0).network
    own, parents = (scored.probabilities(x, recipe, seen).astype(float) for x in (network, whole))
    expected = (parents * np.log(parents / own)).sum(axis=1).mean()
    assert found["distance"] == pytest.approx(expected, rel=1e-3, abs=1e-6) and expected > 0
    assert fitness.evaluate(task(first, {}))["distance"] > 0  # its BatchNorm is measured anew, too


def test_the_whole_parent_can_be_measured_the_same_way(first):
    found = fitness.evaluate(task(first, {}))
    assert found["macs"] == cost.macs(models.load(first.model, 0).network, size_px=SIZE)
    assert found == fitness.evaluate(task(first, {}))


def test_other_images_are_not_looked_at(first):
    asked = task(first)
    before = fitness.evaluate(asked)
    images = prepared.read(first.prepared_folder)
    pixels = images.gather(np.arange(len(images.index)))
    seen = np.union1d(first.search_val_rows, first.recalibration_rows)
    pixels[np.setdiff1d(np.arange(len(pixels)), seen)] = 0
    prepared.write(first.prepared_folder, pixels.__getitem__, images.index)
    assert fitness.evaluate(asked) == before
    assert np.array_equal(fitness.taught(first), asked.taught_NL)
    pixels[seen] = 255 - pixels[seen] // 2
    prepared.write(first.prepared_folder, pixels.__getitem__, images.index)
    assert fitness.evaluate(asked) != before


def test_labels_that_combine_and_unknown_ones(first):
    images = prepared.read(first.prepared_folder)
    index, rows = images.index, first.search_val_rows
    index.loc[rows[:2], "label:b"] = np.nan
    index.loc[rows, "label:c"] = 0.0
    prepared.write(first.prepared_folder, images.gather(np.arange(len(index))).__getitem__, index)
    _with_three_labels(first.model)
    found = fitness.evaluate(task(first))
    network, recipe, images = cut(first)
    scores = scored.probabilities(network, recipe, images.gather(rows)).astype(float)
    labels = np.stack([rows % 2, 1 - rows % 2, 0 * rows], axis=1).astype(float)
    each = -np.log(np.where(labels == 1, scores, 1 - scores))
    each[:2, 1] = np.nan
    assert found["loss"] == pytest.approx(np.nanmean(each), rel=1e-4)
    labels[:2, 1] = np.nan
    assert found["auroc"] == pytest.approx(float(auroc.macro(labels, scores)))
    assert found["labels"]["c"] is None and found["labels"]["b"] is not None
    assert 0 < found["distance"] < 1


def _with_three_labels(model):
    """Write a parent that knows a third label, which no image has."""
    recipe = small(loss="bce")
    built = build(recipe, labels=3, seed=1, fold=0)
    fitted = loop.Fitted(dict(built.state_dict()), best_epoch=0, history=[])
    saved = models.Saved(fitted, recipe.backbone_options, pruning={}, temperature=1.0)
    with artifacts.folder(model) as partial:
        models.save(partial, recipe, [saved], labels=["a", "b", "c"], size_px=SIZE)


def test_a_network_whose_scores_are_no_numbers_loses(first):
    network, recipe, images = cut(first)
    with torch.no_grad():
        network.head[-1].bias.fill_(torch.nan)
    found = fitness.measure(network, recipe, images, first, fitness.taught(first))
    assert found == {"auroc": 0.0, "loss": None, "distance": None, "labels": {"a": 0.0, "b": 0.0}}
    good = fitness.evaluate(task(first))
    for kind in ("loss", "distance"):
        lost, won = (
            fitness.objective(x, good, fitness=kind, worst_label=None) for x in (found, good)
        )
        assert np.isfinite(lost) and lost > won
    assert fitness.objective(found, good, fitness="auroc", worst_label=None) == 1.0


def test_a_parent_whose_scores_are_no_numbers_is_refused(first):
    member = models.load(first.model, 0)
    with torch.no_grad():
        member.network.head[-1].bias.fill_(torch.nan)
    fitted = loop.Fitted(dict(member.network.state_dict()), best_epoch=0, history=[])
    saved = models.Saved(fitted, member.recipe.backbone_options, pruning={}, temperature=1.0)
    with artifacts.folder(first.model) as partial:
        models.save(partial, member.recipe, [saved], labels=["a", "b"], size_px=SIZE)
    with pytest.raises(ValueError, match=r"toy, fold 0: the scores .* are not numbers; train it"):
        fitness.taught(first)


def test_the_worst_label_is_the_one_that_falls_most():
    whole = {"labels": {"a": 0.75, "b": None, "c": 0.875, "d": 0.875}}
    found = {"labels": {"a": 0.75, "b": None, "c": 0.75, "d": 0.75}}
    assert fitness.worst(found, whole) == ("c", 0.125)
    rose = {"labels": {"a": 0.875, "b": None, "c": 1.0, "d": 0.9375}}
    assert fitness.worst(rose, whole) == ("d", -0.0625)


@pytest.mark.parametrize(
    ("kind", "bound", "expected"),
    [
        ("auroc", None, 0.25),
        ("loss", None, 0.5),
        ("distance", None, 0.125),
        ("auroc", 0.125, 0.25),  # as far as allowed
        ("auroc", 0.0625, 0.25 + 10 * 0.0625),
        ("loss", 0.0, 0.5 + 10 * 0.125),
    ],
)
def test_the_objective_and_what_a_fallen_label_costs(kind, bound, expected):
    found = {"auroc": 0.75, "loss": 0.5, "distance": 0.125, "labels": {"a": 0.75, "b": 0.75}}
    whole = {"labels": {"a": 0.875, "b": 0.75}}
    assert fitness.objective(found, whole, fitness=kind, worst_label=bound) == expected


def test_a_channel_that_is_not_there_is_told(first):
    with pytest.raises(ValueError, match=r"no group 'backbone\.conv9'"):
        fitness.evaluate(task(first, {"backbone.conv9": [0]}))


def test_the_global_generator_is_left_alone(first):
    asked = task(first)
    state = torch.random.get_rng_state()
    before = fitness.evaluate(asked)
    torch.rand(3)
    assert fitness.evaluate(asked) == before
    torch.random.set_rng_state(state)
