"""Many pictures answered: a few in this process, more in a process for each core, each with its own model.

Decoding and networks take about as long as one another, so every process does both for the pictures
of its batch: no pixel crosses from one to another.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxr import images, workers
from cxr.answering.drawing import overlay
from cxr.answering.model import BATCH, Answer, Model, open_model
from cxr.answering.pictures import Picture

FEW = 64
"""Pictures up to which other processes take longer to start than to help."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How pictures are to be answered."""

    model: Path
    fold: int | None
    demo: bool
    overlays: Path | None
    """an existing folder for overlays; None: none"""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Some pictures, as a worker receives them."""

    asked: Asked
    first: int
    """the number of the first picture among all"""
    pictures: Sequence[Picture]


def answers(asked: Asked, pictures: Sequence[Picture], model: Model) -> Iterator[Answer]:
    """Yield an answer for each picture, in their order; what is no picture after all is left out.

    `model` is the one that `asked` names, already open; it answers where the pictures are few.
    """
    batches = [
        Batch(asked=asked, first=at, pictures=pictures[at : at + BATCH])
        for at in range(0, len(pictures), BATCH)
    ]
    if len(pictures) <= FEW:
        for batch in batches:
            yield from answered(batch, model)
        return
    waiting: dict[int, list[Answer]] = {}
    place = 0
    words = f"{model.name}: {len(pictures)} pictures, in batches of {BATCH}"
    for number, found in workers.arrivals(work, batches, words=words):
        waiting[number] = found
        while place in waiting:
            yield from waiting.pop(place)
            place += 1


def work(batch: Batch) -> list[Answer]:
    """Answer a batch in a worker."""
    return answered(batch, _opened(batch.asked.model, batch.asked.fold))


@functools.lru_cache(maxsize=1)
def _opened(path: Path, fold: int | None) -> Model:
    """Open a model once in a process, for one thread: the other cores have processes of their own."""
    return open_model(path, fold=fold, threads=1)


def answered(batch: Batch, model: Model) -> list[Answer]:
    """Return the answers to a batch, in order."""
    found: dict[int, Answer] = {}
    ready: dict[int, np.ndarray] = {}
    for number, picture in enumerate(batch.pictures, start=batch.first):
        try:
            content = picture.content()
            if picture.asked or images.is_image(picture.member) or images.is_dicom(content):
                ready[number] = model.prepare(content, picture.name)
        except (ValueError, OSError, MemoryError) as error:
            words = str(error) or f"{picture.name} takes too much memory to decode"
            found[number] = _answer(model, picture, error=words)
    if ready:
        found |= _said(batch, model, ready)
    return [found[number] for number in sorted(found)]


def _said(batch: Batch, model: Model, ready: dict[int, np.ndarray]) -> dict[int, Answer]:
    """Return what the model says of the pictures that could be read."""
    said = model.answer(np.stack(list(ready.values())))
    found = {}
    for place, (number, image_SS) in enumerate(ready.items()):
        picture, strangeness = batch.pictures[number - batch.first], float(said.strangeness[place])
        refused = model.refusal(image_SS, strangeness, demo=batch.asked.demo)
        scores = dict(zip(model.labels, map(float, said.probabilities[place]), strict=True))
        found[number] = _answer(
            model, picture, strangeness=strangeness, refused=refused,
            probabilities=None if refused else scores,
        )  # fmt: skip
        if batch.asked.overlays and said.maps is not None and not refused:
            best = int(said.probabilities[place].argmax())
            name = f"{number:06d}-{Path(picture.member).name}-{model.labels[best]}.png"
            png = overlay(image_SS, said.maps[place, best])
            (batch.asked.overlays / name.replace("/", "_")).write_bytes(png)
    return found


def _answer(
    model: Model, picture: Picture, *, probabilities: dict[str, float] | None = None,
    refused: str | None = None, strangeness: float | None = None, error: str | None = None,
) -> Answer:  # fmt: skip
    return Answer(
        file=picture.name, probabilities=probabilities, refused=refused, strangeness=strangeness,
        model=model.name, version_sha256=model.version_sha256, notice=model.notice, error=error,
    )  # fmt: skip
