"""Fine-tuning: from the cut parent, taught by it, kept on record, the same bytes every time."""

import dataclasses

import pytest
import torch

from cxr import numerics
from cxr.pruning import cutting, tuning
from cxr.training import loop, models
from cxr.training.recipe import Distillation
from tests.pruning.parents import SIZE, fold, make, small

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
    fitted = tuning.fine_tune(task)
    assert [line.epoch for line in fitted.history] == [0, 1]
    losses = [line.val_loss for line in fitted.history]
    assert fitted.best_epoch == losses.index(min(losses))
    assert len(fitted.tensors["backbone.conv1.0.weight"]) == 6
    parent = models.load(task.fold.model, 0).network
    assert len(parent.backbone.conv1[0].weight) == 12
    start = parent.backbone.conv1[0].weight.detach()[1::2]
    moved = (fitted.tensors["backbone.conv1.0.weight"] - start).abs().max()
    assert 0 < moved < 0.05  # from the parent's weights, not from new ones


def test_what_was_done_is_taken_from_its_record(task, monkeypatch):
    first = tuning.fine_tune(task)
    monkeypatch.setattr(loop, "fit", None)
    again = tuning.fine_tune(task)
    assert same(first, again) and first.history == again.history
    assert first.best_epoch == again.best_epoch


def test_the_same_bits_again_and_other_bits_under_another_seed(task, tmp_path):
    first = tuning.fine_tune(task)
    again = tuning.fine_tune(dataclasses.replace(task, record=tmp_path / "again"))
    other = tuning.fine_tune(dataclasses.replace(task, record=tmp_path / "other", seed=8))
    assert same(first, again) and first.history == again.history
    assert not same(first, other)


def test_the_parent_teaches(task, tmp_path):
    labels, parent = (
        tuning.fine_tune(
            dataclasses.replace(
                task, record=tmp_path / str(weight), distillation=Distillation(weight=weight, temperature=1.0)
            )
        )
        for weight in (0.0, 1.0)
    )  # fmt: skip
    assert not same(labels, parent)
    # the untrained parent says nearly nothing: following it alone costs next to no loss
    assert parent.history[0].train_loss < 0.1 < labels.history[0].train_loss
