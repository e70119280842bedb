"""A gzip file with random access: reading its parts in any order costs one pass, not one each.

`gzip.GzipFile` begins again at the first byte whenever it goes back. Here the decoder's state is
kept at every STEP_BYTES of the contents (some 50 KiB each), as zlib's example zran.c does; beyond
MOST_POINTS of them every other one is dropped, so that no file, however long, fills the memory.
"""

from __future__ import annotations

import bisect
import io
import os
import zlib
from typing import BinaryIO


class Gunzip(io.RawIOBase):
    """Read `file`, gzip of one or several streams, as its contents; it can go to any byte."""

    STEP_BYTES = 4 * 2**20
    MOST_POINTS = 512
    INPUT_BYTES = 64 * 1024

    def __init__(self, file: BinaryIO) -> None:
        self._packed = file
        self._position = 0
        # (position in the contents, position in the file, decoder there, its input not yet used)
        self._step_bytes = self.STEP_BYTES
        fresh = zlib.decompressobj(wbits=31)
        self._points: list[tuple[int, int, zlib._Decompress, bytes]] = [(0, 0, fresh.copy(), b"")]
        self._restart(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END:
            raise io.UnsupportedOperation("the length of a gzip file is not known beforehand")
        target = offset + (self._position if whence == os.SEEK_CUR else 0)
        point = bisect.bisect_right([entry[0] for entry in self._points], target) - 1
        if target < self._position or self._points[point][0] > self._position:
            self._restart(point)
        while self._position < target and self._next(target - self._position):
            pass
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        content = self._next(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def _restart(self, point: int) -> None:
        self._position, where, decoder, self._input = self._points[point]
        self._decoder = decoder.copy()
        self._packed.seek(where)

    def _next(self, most: int) -> bytes:
        """Return the next bytes of the contents, at most `most`; none at the end."""
        content = b""
        while not content and most:
            if self._decoder.eof:
                # a gzip file may hold several streams, one after the other
                self._input = self._decoder.unused_data or self._packed.read(self.INPUT_BYTES)
                if not self._input.strip(b"\0"):
                    return b""
                self._decoder = zlib.decompressobj(wbits=31)
            if not self._input:
                self._input = self._packed.read(self.INPUT_BYTES)
                if not self._input:
                    raise EOFError("it breaks off")
            content = self._decoder.decompress(self._input, min(most, 2**20))
            self._input = self._decoder.unconsumed_tail
        self._position += len(content)
        if self._position - self._points[-1][0] >= self._step_bytes and not self._decoder.eof:
            point = (self._position, self._packed.tell(), self._decoder.copy(), self._input)
            self._points.append(point)
            if len(self._points) > self.MOST_POINTS:
                self._points = self._points[::2]
                self._step_bytes *= 2
        return content
