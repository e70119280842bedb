"""The service under load: `python -m tests.bench.serving <model folder>`; some ten minutes.

Starts `cxr serve` on loopback with its decoders, then: 1 to 200 clients at once with X-ray-sized
PNG, JPEG and DICOM files, median and p95 latency in ms and answers per second; the same with one upload
in twenty bent (truncated, a bomb, a PDF, nothing, 100 MB); `--requests` requests in ten parts, after
each the resident memory and the open files of all processes. Prints a table and what went wrong, and
exits 1 if a status was wrong or the memory grew by more than `--growth-mb` after the first part.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import stages  # noqa: F401  the exact profile, before anything numerical is loaded
from tests.serving import storm
from tests.serving.served import Served, served

AT_ONCE = (1, 8, 32, 200)
LIMITS = {"waiting": 1000, "answer_s": 300, "upload_s": 300}


def loads(service: Served, *, count: int) -> list[str]:
    """Print the table; return what went wrong."""
    print("| clients at once | bent | median, ms | p95, ms | answers/s |\n|---|---|---|---|---|")
    wrong = []
    for at_once, every in [*((x, 10**9) for x in AT_ONCE), (200, 20)]:
        found = storm.blow(service, count=max(count, 2 * at_once), at_once=at_once, every=every)
        row = found.row()
        share = "1 in 20" if every == 20 else "none"
        print(
            f"| {at_once} | {share} | {row['p50_ms']:.0f} | {row['p95_ms']:.0f} "
            f"| {row['images_per_s']:.0f} |", flush=True,
        )  # fmt: skip
        wrong += [f"{key}: {number} times" for key, number in found.wrong().items()]
    return wrong


def endure(service: Served, *, requests: int, growth_mb: float) -> list[str]:
    """Print memory and files after each tenth; return what went wrong."""
    print("\n| requests | processes | resident, MiB | open files |\n|---|---|---|---|")
    seen, wrong = [], []
    for part in range(1, 11):
        found = storm.blow(service, count=requests // 10, at_once=32)
        wrong += [f"{key}: {number} times" for key, number in found.wrong().items()]
        seen.append(storm.memory(service))
        now = seen[-1]
        print(
            f"| {part * (requests // 10)} | {now['processes']} | {now['rss_mb']} | {now['files']} |",
            flush=True,
        )
    grown = seen[-1]["rss_mb"] - seen[0]["rss_mb"]
    if grown > growth_mb:
        wrong.append(f"the memory grew by {grown} MiB, at most {growth_mb:g} was expected")
    if seen[-1]["files"] > seen[0]["files"] + 2:
        wrong.append(f"open files went from {seen[0]['files']} to {seen[-1]['files']}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--count", type=int, default=400, help="uploads for each row of the table")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--growth-mb", type=float, default=64)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        served(asked.model.absolute(), Path(folder), limits=LIMITS, demo=True) as service,
    ):
        wrong = loads(service, count=asked.count)
        wrong += endure(service, requests=asked.requests, growth_mb=asked.growth_mb)
        status = service.stop()
        wrong += [] if status == 0 else [f"it ended with {status}"]
    print("\n".join(["", *wrong]) if wrong else "\nevery status was right, nothing grew, exit 0")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
