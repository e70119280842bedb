"""Fine-tuning: from the cut parent, taught by it, kept on record, the same bytes every time."""

import dataclasses

import numpy as np
import pytest
import torch

from cxr import numerics, prepared
from cxr.pruning import cutting, parent, tuning
from cxr.training import calibrating, loop, models
from cxr.training.recipe import Distillation
from tests.pruning.parents import SIZE, fold, make, mislabel, small

numerics.exact_torch()


@pytest.fixture
def task(tmp_path):
    model = make(tmp_path)
    groups = cutting.groups(models.load(model, 0).network, size_px=SIZE)
    kept = {group.name: list(range(1, group.channels, 2)) for group in groups}
    return tuning.Task(
        fold(tmp_path), kept, small(epochs=2), Distillation(weight=0.5, temperature=2.0), 7,
        tmp_path / "record.safetensors",
    )  # fmt: skip


def same(one: loop.Fitted, other: loop.Fitted) -> bool:
    tensors = (list(fitted.tensors.items()) for fitted in (one, other))
    return all(
        a == b and torch.equal(x, y) for (a, x), (b, y) in zip(*map(sorted, tensors), strict=True)
    )


def test_it_trains_the_cut_network_and_keeps_the_best_epoch(task):
    saved = tuning.fine_tune(task)
    fitted = saved.fitted
    assert (saved.pruning, saved.temperature) == (task.kept, 1.0)
    assert saved.backbone_options == task.recipe.backbone_options
    assert [line.epoch for line in fitted.history] == [0, 1]
    losses = [line.val_loss for line in fitted.history]
    assert fitted.best_epoch == losses.index(min(losses))
    assert len(fitted.tensors["backbone.conv1.0.weight"]) == 6
    origin = models.load(task.fold.model, 0).network
    assert len(origin.backbone.conv1[0].weight) == 12
    start = origin.backbone.conv1[0].weight.detach()[1::2]
    moved = (fitted.tensors["backbone.conv1.0.weight"] - start).abs().max()
    assert 0 < moved < 0.05  # from the parent's weights, not from new ones


def test_what_was_done_is_taken_from_its_record(task, monkeypatch):
    first = tuning.fine_tune(task)
    monkeypatch.setattr(loop, "fit", None)
    again = tuning.fine_tune(task)
    assert same(first.fitted, again.fitted) and first.fitted.history == again.fitted.history
    assert first.fitted.best_epoch == again.fitted.best_epoch
    assert (first.pruning, first.temperature) == (again.pruning, again.temperature)


def test_the_same_bits_again_and_other_bits_under_another_seed(task, tmp_path):
    first = tuning.fine_tune(task).fitted
    again = tuning.fine_tune(dataclasses.replace(task, record=tmp_path / "again")).fitted
    other = tuning.fine_tune(dataclasses.replace(task, record=tmp_path / "other", seed=8)).fitted
    assert same(first, again) and first.history == again.history
    assert not same(first, other)


def test_the_parent_teaches(task, tmp_path):
    labels, taught = (
        tuning.fine_tune(
            dataclasses.replace(
                task, record=tmp_path / str(weight), distillation=Distillation(weight=weight, temperature=1.0)
            )
        ).fitted
        for weight in (0.0, 1.0)
    )  # fmt: skip
    assert not same(labels, taught)
    # the untrained parent says nearly nothing: following it alone costs next to no loss
    assert taught.history[0].train_loss < 0.1 < labels.history[0].train_loss


def test_a_cut_network_gets_a_temperature_of_its_own_and_the_same_weights(task, tmp_path):
    rows = np.arange(22, 32)  # PARTS: search_val and test
    mislabel(tmp_path, [28, 31])
    asked = dataclasses.replace(
        task, fold=dataclasses.replace(task.fold, calibration_rows=rows),
        recipe=dataclasses.replace(task.recipe, calibration="temperature"), record=tmp_path / "own",
    )  # fmt: skip
    plain, calibrated = tuning.fine_tune(task), tuning.fine_tune(asked)
    assert same(plain.fitted, calibrated.fitted) and plain.temperature == 1.0
    images = prepared.read(task.fold.prepared_folder)
    network = models.load(task.fold.model, 0).network
    cutting.cut(network, task.kept, size_px=images.size_px)
    network.load_state_dict(calibrated.fitted.tensors)
    part = parent.part(images, rows)
    raw = loop.raw_scores(network, task.recipe, part.images_NHW).numpy()
    expected = calibrating.fit(raw, part.labels_NL, "cross_entropy")
    assert calibrated.temperature == expected == tuning.fine_tune(asked).temperature
    assert calibrating.LOWEST < expected < calibrating.HIGHEST
