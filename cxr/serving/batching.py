"""What comes in within a few milliseconds becomes one run of the network.

One run of 32 pictures takes less than 32 runs of one. The first picture waits a moment for others,
no longer; while a run is under way, the next batch gathers. `limits.House` bounds how many wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import numpy as np

from cxr.answering import Answers


@dataclass(frozen=True)
class Answer:
    """What a model says of one picture."""

    probabilities_L: np.ndarray
    strangeness: float
    maps_Lhw: np.ndarray | None


class Batcher:
    """Pictures in, each with its own answer out, run together."""

    def __init__(
        self, answer: Callable[[np.ndarray], Answers], *, most: int, wait_s: float
    ) -> None:
        self._answer, self._most, self._wait_s = answer, most, wait_s
        self._waiting: asyncio.Queue[tuple[np.ndarray, asyncio.Future[Answer]]] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="network")
        self.batches = 0
        self.pictures = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer meanwhile."""
        task = asyncio.create_task(self._work())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self._thread.shutdown()

    async def submit(self, image_SS: np.ndarray) -> Answer:
        """Return the answer to one picture uint8 (S, S)."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((image_SS, future))
        return await future

    async def _work(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            if self._waiting.qsize() < self._most - 1:
                await asyncio.sleep(self._wait_s)
            while len(batch) < self._most and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            # whoever gave up meanwhile wants no answer
            await self._run([one for one in batch if not one[1].done()])

    async def _run(self, batch: list[tuple[np.ndarray, asyncio.Future[Answer]]]) -> None:
        if not batch:
            return
        images_NSS = np.stack([image for image, _ in batch])
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._thread, self._answer, images_NSS)
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        self.batches += 1
        self.pictures += len(batch)
        for i, (_, future) in enumerate(batch):
            if not future.done():
                maps_Lhw = None if found.maps is None else found.maps[i]
                answer = Answer(found.probabilities[i], float(found.strangeness[i]), maps_Lhw)
                future.set_result(answer)
