"""A finished training on record until its stage is done: killed and started again, nobody trains it anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from cxr import artifacts, scratch
from cxr.training import loop, models


def kept(path: Path, make: Callable[[], models.Saved]) -> models.Saved:
    """Return the network on record at `path`; call `make` if there is none, or a damaged one."""
    return _saved(*scratch.tensors(path, lambda: _record(make())))


def read(path: Path) -> models.Saved | None:
    """Return the network on record at `path`; None if there is none that can be trusted."""
    found = scratch.read_tensors(path)
    return None if found is None else _saved(*found)


def write(path: Path, saved: models.Saved) -> None:
    """Put a network on record, whole or not at all."""
    artifacts.write_tensors(path, *_record(saved))


def _record(saved: models.Saved) -> tuple[dict[str, Tensor], dict[str, Any]]:
    fitted = saved.fitted
    return fitted.tensors, {
        "best_epoch": fitted.best_epoch,
        "history": [dataclasses.asdict(line) for line in fitted.history],
        "backbone_options": saved.backbone_options,
        "pruning": saved.pruning,
        "temperature": saved.temperature,
    }


def _saved(tensors: dict[str, Tensor], about: dict[str, Any]) -> models.Saved:
    history = [loop.Epoch(**line) for line in about["history"]]
    return models.Saved(
        loop.Fitted(tensors, about["best_epoch"], history),
        about["backbone_options"],
        about["pruning"],
        about["temperature"],
    )
