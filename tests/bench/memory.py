"""What a process and all its children use together: memory while a command runs, processor time."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

_SECONDS_BETWEEN = 0.5


def run(command: list[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> tuple[float, float]:
    """Return seconds and the peak in GB; raise ValueError with the last lines if it fails.

    Memory is the sum of PSS over the tree of processes, so shared pages count once; pages of the file
    cache do not count. Sampled twice a second: a shorter peak may be missed. Linux only.
    """
    peak = 0
    done = threading.Event()
    with log.open("w", encoding="utf-8") as file:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, env=dict(env), stdout=file, stderr=file)

        def watch() -> None:
            nonlocal peak
            while not done.is_set():
                peak = max(peak, sum(map(_pss_bytes, tree(process.pid))))
                done.wait(_SECONDS_BETWEEN)

        watcher = threading.Thread(target=watch)
        watcher.start()
        code = process.wait()
        seconds = time.perf_counter() - start
        done.set()
        watcher.join()
    if code:
        lines = log.read_text(encoding="utf-8").splitlines()
        raise ValueError(
            "\n".join([f"{' '.join(command)} failed; the end of {log}:", *lines[-15:]])
        )
    return seconds, peak / 1e9


def tree(pid: int) -> list[int]:
    """Return a process and everything that it started, as far as it still runs."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        children.setdefault(int(words[1]), []).append(int(path.parent.name))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


def _pss_bytes(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    lines = [line for line in text.splitlines() if line.startswith("Pss:")]
    return int(lines[0].split()[1]) * 1024 if lines else 0


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process and its children have used so far."""
    ticks = 0
    for number in tree(pid):
        try:
            words = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has ended
            continue
        ticks += sum(map(int, words.rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")
