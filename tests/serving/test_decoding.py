"""Decoders that hang, crash or swell cost their own picture alone."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from fastapi import HTTPException

from cxr import answering
from cxr.serving.decoding import Decoders
from cxr.serving.limits import Limits
from tests import children
from tests.bad_inputs.pictures import chest, png, stored, zeros

PNG = stored(chest())


def run(
    exported: Path,
    model: answering.Model,
    ask: Callable[[Decoders], Awaitable[Any]],
    **limits: float,
) -> Any:
    """Return what is asked of decoders; none of their processes or files stays behind.

    They may take a minute, for a machine that is busy elsewhere, where the time is not what is tested.
    """
    gc.collect()  # files that other tests left open are none of this test's
    before = len(os.listdir("/proc/self/fd"))

    async def whole() -> Any:
        chosen = Limits(decoders=1, **{"decode_s": 60, **limits})  # type: ignore[arg-type]
        decoders = Decoders(exported, model.size_px, chosen)
        async with decoders.running():
            return await ask(decoders)

    found = asyncio.run(whole())
    assert not decoders_here()
    assert len(os.listdir("/proc/self/fd")) == before
    return found


async def status(decoders: Decoders, content: bytes) -> int:
    with pytest.raises(HTTPException) as refused:
        await decoders.prepare(content)
    return refused.value.status_code


def decoders_here() -> list[psutil.Process]:
    """The decoders that this process started itself, not those of a service beside it."""
    return children.running("cxr.serving.decoder")


def signalled(number: int) -> None:
    found = decoders_here()
    for child in found:
        child.send_signal(number)
    if number == signal.SIGKILL:
        psutil.wait_procs(found)


def test_pictures_are_those_that_the_model_prepares(exported: Path, model: answering.Model) -> None:
    async def ask(decoders: Decoders) -> list[np.ndarray]:
        return await asyncio.gather(*(decoders.prepare(stored(chest(i))) for i in range(5)))

    for i, found in enumerate(run(exported, model, ask)):
        assert np.array_equal(found, model.prepare(stored(chest(i)), "x"))


def test_a_decoder_that_hangs_is_replaced(exported: Path, model: answering.Model) -> None:
    async def ask(decoders: Decoders) -> None:
        signalled(signal.SIGSTOP)
        assert await status(decoders, PNG) == 504
        await decoders.prepare(PNG)

    run(exported, model, ask, decode_s=10)


def test_a_decoder_that_dies_is_replaced(exported: Path, model: answering.Model) -> None:
    async def ask(decoders: Decoders) -> None:
        signalled(signal.SIGSTOP)
        asyncio.get_running_loop().call_later(0.3, signalled, signal.SIGKILL)
        assert await status(decoders, PNG) == 422
        await decoders.prepare(PNG)
        signalled(signal.SIGKILL)  # while nobody asks
        await decoders.prepare(PNG)

    run(exported, model, ask)


def test_a_picture_that_takes_too_much_memory(exported: Path, model: answering.Model) -> None:
    large = png(8000, 8000, pixels=zeros(62 * 2**20))

    async def ask(decoders: Decoders) -> None:
        assert await status(decoders, large) in (413, 422), "some decoders call it damaged"
        await decoders.prepare(PNG)

    run(exported, model, ask, decoder_mb=48)


def test_who_gives_up_leaves_no_answer_for_the_next(exported: Path, model: answering.Model) -> None:
    async def ask(decoders: Decoders) -> np.ndarray:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await decoders.prepare(stored(np.full((3000, 3000), 200, np.uint8)))
        return await decoders.prepare(PNG)

    assert np.array_equal(run(exported, model, ask), model.prepare(PNG, "x"))


def test_a_folder_without_a_model_does_not_start(tmp_path: Path, model: answering.Model) -> None:
    async def nothing(decoders: Decoders) -> None: ...

    with pytest.raises(RuntimeError, match="a decoder did not start"):
        run(tmp_path, model, nothing)
