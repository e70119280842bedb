"""Named random streams from one seed: adding a draw to one stream leaves the others as they were.

The key of a stream is a hash of the seed and its names; the generator is counter-based (Philox:
Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), so `stream(seed, "augment",
epoch, index)` costs microseconds and does not depend on what was drawn before or in which process.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def key(seed: int, *names: str | int) -> int:
    """Hash a seed and the names of a stream into 128 bits."""
    text = json.dumps([int(seed), *names], separators=(",", ":"), ensure_ascii=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """Return numpy's generator for the stream `names` (words and integers) under `seed`."""
    return np.random.Generator(np.random.Philox(key=key(seed, *names)))


def torch_stream(seed: int, *names: str | int) -> torch.Generator:
    """Return torch's CPU generator for the stream `names` under `seed`."""
    import torch

    return torch.Generator().manual_seed(key(seed, *names) >> 65)


@contextlib.contextmanager
def torch_global(seed: int, *names: str | int) -> Iterator[None]:
    """Key torch's global generator inside the block and put it back afterwards.

    For code of others that can't be handed a generator: weight initialisation in timm, dropout.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(key(seed, *names) >> 65)
        yield
