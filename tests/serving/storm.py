"""Many uploads at once, good and bent, and what came of them."""

from __future__ import annotations

import functools
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from cxr.serving.figures import quantile
from tests import dicom_files
from tests.bad_inputs.pictures import chest, png, stored, zeros
from tests.serving.served import Served


@functools.cache
def good(size_px: int = 1024) -> list[tuple[str, bytes, int]]:
    """Return name, content and due status of whole pictures, PNG, JPEG and DICOM."""
    import cv2

    large = [
        cv2.resize(chest(i), (size_px, size_px), interpolation=cv2.INTER_LINEAR_EXACT)
        for i in range(4)
    ]
    return [
        *(("PNG", stored(image), 200) for image in large[:2]),
        *(("JPEG", stored(image, "jpeg", quality=95), 200) for image in large[2:]),
        ("DICOM", dicom_files.make(), 200),
    ]


@functools.cache
def bent() -> list[tuple[str, bytes, int]]:
    """Return the same of files that can't be answered."""
    whole = stored(chest())
    return [
        ("truncated", whole[:-100], 422),
        (
            "bomb of 30,000 x 30,000 px",
            png(30_000, 30_000, depth=1, pixels=zeros(108 * 2**20)),
            422,
        ),
        ("PDF", b"%PDF-1.7" + bytes(1000), 415),
        ("empty", b"", 422),
        ("100 MB", whole + bytes(100 * 10**6), 413),
    ]


@dataclass
class Storm:
    """What came of the uploads."""

    seconds: float = 0
    statuses: Counter[tuple[str, int, int]] = field(default_factory=Counter)
    """Number of uploads by name, due status and status."""
    latencies_s: list[float] = field(default_factory=list)
    """Of those that were answered."""

    def wrong(self) -> dict[Any, int]:
        return {key: count for key, count in self.statuses.items() if key[1] != key[2]}

    def row(self) -> dict[str, float]:
        """Return the figures of a table."""
        return {
            "p50_ms": 1000 * quantile(self.latencies_s, 0.5),
            "p95_ms": 1000 * quantile(self.latencies_s, 0.95),
            "images_per_s": len(self.latencies_s) / self.seconds,
        }


def blow(service: Served, *, count: int, at_once: int, every: int = 20) -> Storm:
    """Send so many uploads; one of `every` is bent."""
    storm = Storm()

    def one(number: int) -> tuple[str, int, int, float]:
        kinds = bent() if number % every == 0 else good()
        name, content, due = kinds[number // (every if kinds is bent() else 1) % len(kinds)]
        begun = time.perf_counter()
        status = service.predict(content).status
        return name, due, status, time.perf_counter() - begun

    good(), bent()
    begun = time.perf_counter()
    with ThreadPoolExecutor(at_once) as threads:
        for name, due, status, seconds in threads.map(one, range(count)):
            storm.statuses[name, due, status] += 1
            storm.latencies_s += [seconds] if status == 200 else []
    storm.seconds = time.perf_counter() - begun
    return storm


def memory(service: Served) -> dict[str, int]:
    """Return resident bytes and open files of the service and its decoders together."""
    family = service.family()
    return {
        "processes": len(family),
        "rss_mb": sum(process.memory_info().rss for process in family) >> 20,
        "files": sum(process.num_fds() for process in family),
    }
