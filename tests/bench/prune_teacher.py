"""A teacher that remembers: all fine-tunings of a fold and seed show their parent the same batches.

What it said of a batch is kept by the batch's content, so a network that is shown other images meets a
teacher that looks at them; the bits are those of a teacher without a memory. Its word is a quarter of a
fine-tuning's time, and of a fold's sixteen trainings all but the first ones are spared it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import nn

from cxr import artifacts, scratch
from cxr.training import distillation
from cxr.training.recipe import Distillation


class Remembering(distillation.Teacher):
    """A trained network that a student follows, and what it said before."""

    def __init__(self, network: nn.Module, settings: Distillation, *, memory: Path) -> None:
        """Take the trained network, and what `memory` holds, if it is there."""
        super().__init__(network, settings)
        self._memory, kept = memory, scratch.read_tensors(memory)
        self._said: dict[str, torch.Tensor] = kept[0] if kept else {}
        self._known = len(self._said)

    def scores(self, images_B1HW: torch.Tensor) -> torch.Tensor:
        """Return its raw scores (B, L) of images that are normalised for the student."""
        batch = hashlib.sha256(images_B1HW.numpy().tobytes()).hexdigest()
        if batch not in self._said:
            self._said[batch] = super().scores(images_B1HW)
        return self._said[batch]

    def keep(self) -> None:
        """Write what is new into its memory; of two that do so at once the last one stays."""
        if len(self._said) > self._known:
            artifacts.write_tensors(self._memory, self._said, {})
