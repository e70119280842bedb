"""The decoders: processes that are asked one file each, and replaced when they die or take too long.

Not threads: a decoder in C may crash, hang or grow, and `cxr.images` listens to what such libraries
print by turning this process's stderr aside.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from fastapi import HTTPException

from cxr.serving import decoder
from cxr.serving.limits import Limits

_SLICE = 2**20
_START_S = 60
# glibc would keep what one large picture took
_NOT_HERE = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


class Decoders:
    """Decoders of one model's pictures, at most so many at work."""

    def __init__(self, folder: Path, size_px: int, limits: Limits) -> None:
        self._size_px, self._seconds = size_px, limits.decode_s
        self._all = [_Decoder(folder, int(limits.decoder_mb)) for _ in range(limits.decoders)]
        self._idle: asyncio.LifoQueue[_Decoder] = asyncio.LifoQueue()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start all; stop all in the end."""
        try:
            for one in self._all:
                await one.start()
                self._idle.put_nowait(one)
            yield
        finally:
            for one in self._all:
                one.kill()
            await asyncio.sleep(0)  # the loop closes their sockets in its next turn

    async def prepare(self, content: bytes) -> np.ndarray:
        """Return the picture uint8 (S, S) of a file's content.

        Raises HTTPException 413 (takes too much memory), 422 (can't be read), 504 (takes too long).
        """
        one = await self._idle.get()
        try:
            letter, answer = await self._ask(one, content)
        except BaseException:  # given up, too: its answer would be taken for the next one's
            one.kill()
            raise
        finally:
            self._idle.put_nowait(one)
        if letter == decoder.PICTURE and len(answer) == self._size_px**2:
            return np.frombuffer(answer, np.uint8).reshape(self._size_px, self._size_px)
        status = 413 if letter == decoder.MEMORY else 422
        raise HTTPException(status, answer.decode(errors="replace"))

    async def _ask(self, one: _Decoder, content: bytes) -> tuple[bytes, bytes]:
        await one.start()
        try:
            async with asyncio.timeout(self._seconds):
                return await one.ask(content)
        except TimeoutError:
            words = f"{decoder.NAME} takes more than {self._seconds:g} s to decode"
            raise HTTPException(504, words) from None
        except (asyncio.IncompleteReadError, ConnectionError):
            words = f"{decoder.NAME} can't be decoded: the decoder failed at it"
            raise HTTPException(422, words) from None


class _Decoder:
    """One process, started when it is needed."""

    def __init__(self, folder: Path, memory_mb: int) -> None:
        self._words = ("-m", "cxr.serving.decoder", str(folder.absolute()), str(memory_mb))
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start the process if there is none; RuntimeError if it does not get ready."""
        if self._process and self._process.poll() is None:
            return
        self.kill()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, *self._words],
                stdin=theirs.fileno(), stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,  # what libraries say of a picture is for nobody
                env={name: x for name, x in os.environ.items() if name not in _NOT_HERE},
                cwd=Path(__file__).parents[2],
                start_new_session=True,  # Ctrl-C is for the service, which lets them finish
            )  # fmt: skip
        self._answers, self._files = await asyncio.open_connection(sock=ours)
        try:
            async with asyncio.timeout(_START_S):
                await self._answer()
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
            self.kill()
            raise RuntimeError("a decoder did not start: is there memory enough?") from error

    async def ask(self, content: bytes) -> tuple[bytes, bytes]:
        """Return letter and content of the answer to one file."""
        self._files.write(len(content).to_bytes(decoder.LENGTH_BYTES, "big"))
        for start in range(0, len(content), _SLICE):  # a buffer would hold all of it a second time
            self._files.write(content[start : start + _SLICE])
            await self._files.drain()
        return await self._answer()

    async def _answer(self) -> tuple[bytes, bytes]:
        head = await self._answers.readexactly(1 + decoder.LENGTH_BYTES)
        return head[:1], await self._answers.readexactly(int.from_bytes(head[1:], "big"))

    def kill(self) -> None:
        """End the process at once, if there is one; the next start makes another."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._files.transport.abort()
            self._process = None
