"""A record gives back what was put on it, to the bit; a damaged one is none."""

from pathlib import Path

import pytest
import torch

from cxr.training import loop, models, records

EPOCHS = [loop.Epoch(0, 0.1, 0.5, 1 / 3, 0.75, 0.5), loop.Epoch(1, 1e-3, 0.25, 0.1 + 0.2, 0.8, 0.6)]
TENSORS = {"b.weight": torch.tensor([[0.1, -2.5]]), "a.count": torch.tensor(3)}
SAVED = models.Saved(
    loop.Fitted(TENSORS, 1, EPOCHS), {"widths": [8, 16]}, {"backbone.conv1": [0, 2]}, 1.1
)


def same(one: models.Saved, other: models.Saved) -> bool:
    tensors = [saved.fitted.tensors for saved in (one, other)]
    return (
        sorted(tensors[0]) == sorted(tensors[1])
        and all(torch.equal(tensors[0][name], tensors[1][name]) for name in tensors[0])
        and (one.fitted.best_epoch, one.fitted.history) == (other.fitted.best_epoch, other.fitted.history)
        and (one.backbone_options, one.pruning, one.temperature)
        == (other.backbone_options, other.pruning, other.temperature)
    )  # fmt: skip


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "fold-0.safetensors"
    assert records.read(path) is None
    records.write(path, SAVED)
    found = records.read(path)
    assert found is not None and same(found, SAVED)


def test_what_is_on_record_is_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "fold-0.safetensors"
    assert same(records.kept(path, lambda: SAVED), SAVED)
    assert same(records.kept(path, lambda: pytest.fail("made twice")), SAVED)


@pytest.mark.parametrize("bytes_left", [0, 40, -1])
def test_a_damaged_record_is_none_and_made_again(tmp_path: Path, bytes_left: int) -> None:
    path = tmp_path / "fold-0.safetensors"
    records.write(path, SAVED)
    path.write_bytes(path.read_bytes()[:bytes_left])
    assert records.read(path) is None
    assert same(records.kept(path, lambda: SAVED), SAVED)
