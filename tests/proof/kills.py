"""Each stage killed again and again, at moments drawn by lot: `python -m tests.proof.kills`.

A stage of dvc.lock runs in a folder that holds only what it declares. It and all that it started are killed
with SIGKILL, begun again, killed again, and after a few times let be: what then stands there is compared with
the outputs of the project where `make repro` has run. After each kill no output may stand there that is not the
whole and right one. reports/proof/kills.csv has a line for each life; finished lines of the same dvc.lock are
kept, so that a sitting that ends goes on where it ended. Exit 1 if a life ended with anything else.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cxr import artifacts, seeding
from tests.proof import alone, rows
from tests.proof.rows import EQUAL

COLUMNS = ("lock", "stage", "life", "kills", "outcome", "seconds")
TIMES = 5
"""How often a stage is killed in a life, at most: one that is quicker than its moment is done."""
LIVES = 3


def life(
    entry: alone.Entry, root: Path, *, length_s: float, rng: np.random.Generator
) -> tuple[int, str]:
    """Let a stage be killed up to TIMES times, then end; return how often it was, and what came of it."""
    with tempfile.TemporaryDirectory(prefix="cxr-kill-") as scratch:
        folder = Path(scratch) / "run"
        alone.lay(entry, root, folder)
        kills = 0
        for _ in range(TIMES):
            if not alone.killed(entry, folder, seconds=rng.uniform(0, length_s)):
                break
            kills += 1
            if wrong := alone.half_made(entry, root, folder):
                return kills, f"half made after a kill: {' '.join(wrong)}"
        said = alone.run(entry, folder)
        if said.returncode:
            last = (said.stderr.strip() or said.stdout.strip()).splitlines()[-1:]
            return kills, f"failed: {' '.join(last)}"
        differ = alone.differing(entry, root, folder)
    return kills, f"differs: {' '.join(differ)}" if differ else EQUAL


def undisturbed(entry: alone.Entry, root: Path) -> float:
    """Return how many seconds the stage takes when it is let be."""
    with tempfile.TemporaryDirectory(prefix="cxr-kill-") as scratch:
        folder = Path(scratch) / "run"
        alone.lay(entry, root, folder)
        start = time.monotonic()
        alone.run(entry, folder)
        return time.monotonic() - start


def sit(root: Path, path: Path, *, minutes: float, lives: int = LIVES) -> None:
    """Run what is left, life by life, until all is done or the time is over."""
    of, end = rows.lock(root), time.monotonic() + 60 * minutes
    table = rows.kept(path, of, COLUMNS)
    done = set(zip(table["stage"], table["life"], strict=True))
    entries = alone.entries(root)
    left = [(entry, n) for n in range(lives) for entry in entries if (entry.name, n) not in done]
    print(f"kills: {len(left)} lives of up to {TIMES} kills left, at most {minutes:.0f} minutes", flush=True)  # fmt: skip
    lengths: dict[str, float] = {}
    for entry, number in left:
        if time.monotonic() > end:
            break
        start = time.monotonic()
        if entry.name not in lengths:
            lengths[entry.name] = undisturbed(entry, root)
        rng = seeding.stream(int(of, 16), "proof", "kills", entry.name, number)
        kills, found = life(entry, root, length_s=lengths[entry.name], rng=rng)
        seconds = round(time.monotonic() - start)
        table.loc[len(table)] = [of, entry.name, number, kills, found, seconds]
        artifacts.write_csv(path, table)
        print(f"{entry.name}, {kills} kills: {found} ({seconds} s)", flush=True)


def main() -> None:
    """Sit, say what came of all lives, and exit 1 if one did not end with the recorded bytes."""
    options = rows.options("kills", __doc__)
    path = options.out / "kills.csv"
    try:
        sit(options.project, path, minutes=options.minutes)
        table = rows.kept(path, rows.lock(options.project), COLUMNS)
    except (ValueError, OSError) as error:
        sys.exit(f"kills: {error}")
    equal = int((table["outcome"] == EQUAL).sum())
    print(
        f"kills: {table['kills'].sum()} in {len(table)} lives, {equal} ended with the recorded bytes"
    )
    sys.exit(bool(equal < len(table) or not equal))


if __name__ == "__main__":
    main()
