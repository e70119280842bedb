"""Is the flow faster than DVC alone? Whole runs of the committed study: `python -m tests.bench.parallel`.

In turn, each in a fresh clone with an empty cache and no memory of runs, so that every stage has to
run: `dvc repro -f --no-run-cache` with one process in its stages (CXR_WORKERS=1) and with two, and
`python -m flows.reproduce`, its server's start included. Seconds are wall time; beside them stands
whether dvc.lock has the committed bytes, in the canonical order, and how busy the machine was.

Rows stand in reports/bench/parallel/rows.csv and count for the same pipeline, parameters, results and
flows: a sitting that was ended goes on where it was, and `--times` adds rounds to those on record. `--flows` adds runs of the
flow alone, by which its bytes are counted.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from flows import command, files, pipeline, repository, verify

ROOT = Path(__file__).resolve().parents[2]
ROWS = Path("reports/bench/parallel/rows.csv")
COLUMNS = ("recipe", "round", "way", "seconds", "same_lock", "cores", "load")
SERIAL = ("-m", "dvc", "repro", "-f", "--no-run-cache")
WAYS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "dvc, one process": (SERIAL, {"CXR_WORKERS": "1"}),
    "dvc, two processes": (SERIAL, {"CXR_WORKERS": "2"}),
    "flow": (("-m", "flows.reproduce"), {}),
}
FLOW = "flow"
PROMISED = 0.75
"""Of a serial run's time."""
MINUTES = 8.0
"""A run of the default study, on two idle cores."""
_DECIDE = ("dvc.yaml", "dvc.lock", "params.yaml", "flows")
Row = dict[str, str]


def recipe(root: Path) -> str:
    """Return the hash of what a run depends on, as committed."""
    words = [repository.git("rev-parse", f"HEAD:{name}", root=root).strip() for name in _DECIDE]
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:12]


def left(rows: Sequence[Row], times: int, flows: int = 0) -> list[tuple[int, str]]:
    """Return rounds and ways that have no row; who begins changes, and after `times` rounds only the flow runs."""
    names, done = list(WAYS), {(int(row["round"]), row["way"]) for row in rows}
    plan = [
        (n, names[(n + place) % len(names)]) for n in range(times) for place in range(len(names))
    ]
    plan += [(n, FLOW) for n in range(times, flows)]
    return [each for each in plan if each not in done]


def read(root: Path, counted: str) -> list[Row]:
    """Return the rows on record that count."""
    if not (root / ROWS).exists():
        return []
    with (root / ROWS).open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["recipe"] == counted]


def measure(way: str, root: Path) -> tuple[float, bool]:
    """Run everything in a fresh clone; return seconds, and whether dvc.lock came out as committed.

    Raises ValueError with the last words of a run that fails.
    """
    words, more = WAYS[way]
    with tempfile.TemporaryDirectory(prefix="cxrepro-parallel-") as name:
        folder, clone = Path(name), Path(name) / "clone"
        claim = verify.claim(revision="HEAD", name=None, root=root)
        verify.prepare(clone, claim, root=root)
        if way == FLOW:  # the same as `-f`: no entry, no cache, so nothing is up to date
            (clone / pipeline.LOCK_FILE).unlink()
        env = {
            name: x for name, x in pipeline.environment().items() if not name.startswith("PREFECT_")
        }
        env |= {"DVC_SITE_CACHE_DIR": f"{folder}/site", "PREFECT_HOME": f"{folder}/prefect"}
        env.pop("CXR_WORKERS", None)
        start = time.perf_counter()
        _run([sys.executable, *words], clone, {**env, **more}, log=folder / "log")
        seconds = time.perf_counter() - start
        pipeline.canonical_lock(clone)
        same = (clone / pipeline.LOCK_FILE).read_text(encoding="utf-8") == claim.lock
    return seconds, same


def _run(words: Sequence[str], folder: Path, env: Mapping[str, str], *, log: Path) -> None:
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(words, cwd=folder, env=env, stdout=file, stderr=file, check=False)
    if done.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        raise ValueError("\n".join([f"{' '.join(words)} failed, its last words:", *lines[-15:]]))


def sit(root: Path, times: int, flows: int = 0) -> list[Row]:
    """Measure what is left, keep each row as it comes; return all that count."""
    counted = recipe(root)
    rows = read(root, counted)
    todo = left(rows, times, flows)
    known = [float(row["seconds"]) / 60 for row in rows] or [MINUTES]
    minutes = len(todo) * statistics.mean(known)
    print(f"{len(todo)} whole runs are left: about {minutes:.0f} minutes", flush=True)
    for number, way in todo:
        load = os.getloadavg()[0]
        seconds, same = measure(way, root)
        rows.append({
            "recipe": counted, "round": str(number), "way": way, "seconds": f"{seconds:.1f}",
            "same_lock": "yes" if same else "no", "cores": str(len(os.sched_getaffinity(0))),
            "load": f"{load:.1f}",
        })  # fmt: skip
        (root / ROWS).parent.mkdir(parents=True, exist_ok=True)
        files.write(root / ROWS, files.table(COLUMNS, rows))
        print(f"round {number}, {way}: {seconds:.1f} s, dvc.lock {_lock(same)}", flush=True)
    return rows


def _lock(same: bool) -> str:
    return "as committed" if same else "differs from the committed one"


def summary(rows: Sequence[Row]) -> list[str]:
    """Say how the flow's time stands to each other's, as medians over rounds, and in how many runs the bytes were the same."""
    seconds = {
        way: [float(row["seconds"]) for row in rows if row["way"] == way]
        for way in WAYS
    }  # fmt: skip
    middle = {way: statistics.median(found) for way, found in seconds.items() if found}
    lines = [
        f"{way}: {found:.1f} s, the median of {len(seconds[way])}" for way, found in middle.items()
    ]
    for way in middle:
        if way != FLOW and FLOW in middle:
            share = middle[FLOW] / middle[way]
            kept = "as promised" if share <= PROMISED else f"{PROMISED} was promised"
            lines.append(f"flow: {share:.2f} of the time of {way} ({kept})")
    same = {way: [row["same_lock"] == "yes" for row in rows if row["way"] == way] for way in WAYS}
    kept = [f"{sum(found)} of {len(found)} by {way}" for way, found in same.items() if found]
    return [*lines, f"dvc.lock as committed: {', '.join(kept)}"]


def main() -> None:
    """Say what is to be computed, compute it, report; fail if a lock file differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.parallel", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--times", type=int, default=1, help="rounds, those on record included")
    parser.add_argument("--flows", type=int, default=0, help="runs of the flow, likewise")
    arguments = parser.parse_args()
    with command.telling(interrupted="rows of finished runs are kept, run again to go on"):
        rows = sit(ROOT, arguments.times, arguments.flows)
    print("\n".join(summary(rows)))
    if any(row["same_lock"] == "no" for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
