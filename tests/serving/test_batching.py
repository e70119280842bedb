"""Pictures that come together are run together, and each gets its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cxr import answering, seeding
from cxr.serving.batching import Answer, Batcher


def pictures(count: int, size_px: int) -> np.ndarray:
    rng = seeding.stream(1, "pictures")
    return rng.integers(0, 256, (count, size_px, size_px), dtype=np.uint8)


def means(images_NSS: np.ndarray) -> Any:
    """A model that tells each picture's mean."""
    mean_N1 = images_NSS.mean(axis=(1, 2))[:, None]
    return SimpleNamespace(probabilities=mean_N1, strangeness=mean_N1[:, 0], maps=None)


def run(batcher: Batcher, ask: Callable[[Batcher], Awaitable[Any]]) -> Any:
    async def whole() -> Any:
        async with batcher.running():
            return await ask(batcher)

    return asyncio.run(whole())


def all_of(images: np.ndarray) -> Callable[[Batcher], Awaitable[list[Answer]]]:
    async def ask(batcher: Batcher) -> list[Answer]:
        return await asyncio.gather(*map(batcher.submit, images))

    return ask


def test_a_batch_is_full_or_has_waited() -> None:
    images, batcher = pictures(70, 4), Batcher(means, most=32, wait_s=0.05)
    found = run(batcher, all_of(images))
    assert (batcher.batches, batcher.pictures) == (3, 70)
    assert [one.strangeness for one in found] == [float(image.mean()) for image in images]


def test_a_batch_says_what_single_pictures_do(model: answering.Model) -> None:
    """To the bit, save strangeness: onnxruntime multiplies fewer than four rows in another order."""
    images = pictures(33, model.size_px)
    alone = run(Batcher(model.answer, most=1, wait_s=0.001), all_of(images))
    together = Batcher(model.answer, most=32, wait_s=0.05)
    for one, other in zip(alone, run(together, all_of(images)), strict=True):
        assert one.probabilities_L.tobytes() == other.probabilities_L.tobytes()
        assert one.strangeness == pytest.approx(other.strangeness, rel=1e-5)
        assert one.maps_Lhw is not None and other.maps_Lhw is not None
        assert one.maps_Lhw.tobytes() == other.maps_Lhw.tobytes()
    assert together.batches == 2


def test_a_fault_reaches_all_who_wait_and_the_next_are_answered() -> None:
    def faulty(images: np.ndarray) -> Any:
        if images.max() == 0:
            raise RuntimeError("the network fell over")
        return means(images)

    async def ask(batcher: Batcher) -> Any:
        black = np.zeros((3, 4, 4), np.uint8)
        first = await asyncio.gather(*map(batcher.submit, black), return_exceptions=True)
        return first, await batcher.submit(np.ones((4, 4), np.uint8))

    first, after = run(Batcher(faulty, most=8, wait_s=0.01), ask)
    assert [str(error) for error in first] == ["the network fell over"] * 3
    assert after.strangeness == 1.0


def test_who_gave_up_is_not_answered() -> None:
    async def ask(batcher: Batcher) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await batcher.submit(np.ones((4, 4), np.uint8))
        await batcher.submit(np.ones((4, 4), np.uint8))

    batcher = Batcher(means, most=8, wait_s=0.1)
    run(batcher, ask)
    assert batcher.pictures == 1
