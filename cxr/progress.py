"""Tell a person how far long work is: a bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
_SECONDS_BETWEEN_LINES = 15.0


def track(items: Iterable[Item], *, total: int, words: str) -> Iterator[Item]:
    """Yield `items`, showing `words` and the share done; writes to stderr only."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, total=total, desc=words, leave=False)
        return
    start = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_LINES and done < total:
            last = now
            left = (now - start) / done * (total - done)
            print(
                f"  {words}: {done} of {total}, about {left:.0f} s left",
                file=sys.stderr,
                flush=True,
            )


def say(line: str) -> None:
    """Print one plain line of progress."""
    print(f"  {line}", file=sys.stderr, flush=True)


class Pace:
    """How long a unit of work takes, to guess what is left; for words on stderr only."""

    def __init__(self) -> None:
        self._seconds, self._units = 0.0, 0

    @contextlib.contextmanager
    def measure(self) -> Iterator[Callable[[int], None]]:
        """Time the block; inside it, tell how many units were done (0: the block is forgotten)."""
        start = time.monotonic()
        done: list[int] = []
        yield done.append
        if sum(done):
            self._seconds += time.monotonic() - start
            self._units += sum(done)

    def seconds(self, units: int) -> float | None:
        """Return how long so many units take; None if nothing is known yet."""
        return units * self._seconds / self._units if self._units else None
