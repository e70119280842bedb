"""What the contenders of `make bench-train` are given: recipe, phantoms, turns and a clock.

Imports nothing that sets the exact profile: the usual way works in a user's own environment.
"""

from __future__ import annotations

import contextlib
import hashlib
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cxr import images, params
from cxr.phantom.patient import patient
from cxr.preprocessing import _chain
from cxr.training.loop import Part
from cxr.training.recipe import Recipe
from tests.bench import phantoms

ROOT = Path(__file__).resolve().parents[2]
STILL: dict[str, Any] = {
    "rotate_deg": 0.0, "translate": 0.0, "scale": 0.0, "brightness": 0.0, "contrast": 0.0,
    "flip": False, "border": "black",
}  # fmt: skip
"""Augmentation that leaves every image as it is."""


def recipe(**changes: Any) -> Recipe:
    """Return the studies' default recipe of a transfer, without dropout, with keys replaced.

    No epoch is chosen and none is left out: every contender trains as long and ends as the others.
    """
    tree = params.read_yaml(ROOT / "studies/defaults.yaml")["transfer"]["recipes"]["*"]
    tree |= {
        "head": {"kind": "linear", "hidden": [], "dropout": 0.0},
        "early_stopping": {"monitor": "last", "patience": 0},
        **changes,
    }
    return params.build(Recipe, tree, where="tests/bench/train_setup.py")


def steps(px: int) -> list[dict[str, Any]]:
    """Return what preprocess does: stretch to a square of `px`."""
    return [{"name": "resize", "size_px": px, "fit": "stretch"}]


def with_effusion(paths: Sequence[Path]) -> np.ndarray:
    """Return labels float32 (N, 2) of phantoms' files: no effusion, effusion."""
    found = [
        "effusion" in patient(phantoms._SEED, int(path.stem), task="multilabel").findings
        for path in paths
    ]
    return np.eye(2, dtype=np.float32)[np.array(found, dtype=int)]


def drawn(train: int, val: int, px: int) -> tuple[Part, Part]:
    """Return phantoms to train on and phantoms of other patients to judge on, `px` wide."""
    paths, chain = phantoms.images(train + val), _chain.build(steps(px), where="tests/bench")
    prepared = np.stack(
        [
            _chain.apply(images.decode(path.read_bytes(), name=path.name).grey, chain)
            for path in paths
        ]
    )
    labels = with_effusion(paths)
    return Part(prepared[:train], labels[:train]), Part(prepared[train:], labels[train:])


def turns(ways: Sequence[str], rounds: int) -> Iterator[tuple[int, str]]:
    """Yield (round, way) one after the other; each round begins with another way."""
    for number in range(rounds):
        first = number % len(ways)
        for way in (*ways[first:], *ways[:first]):
            yield number, way


@dataclass
class Clock:
    """How long a block took."""

    seconds: float = field(default=0.0)
    cpu_seconds: float = field(default=0.0)
    """processor time of this process and of its children that have ended"""


@contextlib.contextmanager
def clock() -> Iterator[Clock]:
    """Time the block."""
    found, start, before = Clock(), time.perf_counter(), _cpu_seconds()
    yield found
    found.seconds, found.cpu_seconds = time.perf_counter() - start, _cpu_seconds() - before


def _cpu_seconds() -> float:
    used = [resource.getrusage(x) for x in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(x.ru_utime + x.ru_stime for x in used)


def digest(tensors: Mapping[str, Any]) -> str:
    """Return 12 hex digits that stand for every byte of a network's tensors."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        sha.update(name.encode())
        sha.update(np.ascontiguousarray(tensors[name].detach().numpy()).tobytes())
    return sha.hexdigest()[:12]
