"""Each stage once more, alone, under conditions that must not matter: `python -m tests.proof.doubles`.

A stage of dvc.lock runs in a folder that holds only what it declares, under one condition (another place,
user, clock, load, order of files …), and all its outputs are compared with those of the project where
`make repro` has run. reports/proof/doubles.csv has a line for each pair of stage and condition; finished
lines of the same dvc.lock are kept, so that a sitting that ends goes on where it ended. The pairs come in an
order drawn by lot, so that the first ones are a sample. Exit 1 if anything differs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from cxr import artifacts, seeding
from tests.proof import alone, rows
from tests.proof.conditions import CONDITIONS, CannotSet
from tests.proof.rows import EQUAL

COLUMNS = ("lock", "stage", "condition", "outcome", "seconds")
NOT_SET = "not set"


def outcome(entry: alone.Entry, name: str, root: Path) -> str:
    """Run a stage under a condition; return `equal`, what differs, how it failed, or why it was not set."""
    with tempfile.TemporaryDirectory(prefix="cxr-double-") as scratch:
        try:
            with CONDITIONS[name](Path(scratch)) as setting:
                folder = Path(scratch) / "runs" / setting.folder
                alone.lay(entry, root, folder)
                said = alone.run(entry, folder, before=setting.before, **setting.environment)
                if said.returncode:
                    last = (said.stderr.strip() or said.stdout.strip()).splitlines()[-1:]
                    return f"failed: {' '.join(last)}"
                differ = alone.differing(entry, root, folder)
        except CannotSet as error:
            return f"{NOT_SET}: {error}"
    return f"differs: {' '.join(differ)}" if differ else EQUAL


def pairs(root: Path) -> list[tuple[alone.Entry, str]]:
    """Return every stage with every condition, in an order that the lock file decides."""
    found = [(entry, name) for entry in alone.entries(root) for name in CONDITIONS]
    rng = seeding.stream(int(rows.lock(root), 16), "proof", "doubles")
    return [found[place] for place in rng.permutation(len(found))]


def sit(root: Path, path: Path, *, minutes: float) -> pd.DataFrame:
    """Run what is left, line by line, until all is done or the time is over; return all lines."""
    of, end = rows.lock(root), time.monotonic() + 60 * minutes
    table = rows.kept(path, of, COLUMNS)
    done = set(zip(table["stage"], table["condition"], strict=True))
    left = [(entry, name) for entry, name in pairs(root) if (entry.name, name) not in done]
    print(
        f"doubles: {len(left)} of {len(left) + len(done)} pairs left, at most {minutes:.0f} minutes",
        flush=True,
    )
    for entry, name in left:
        if time.monotonic() > end:
            break
        start = time.monotonic()
        found = outcome(entry, name, root)
        seconds = round(time.monotonic() - start)
        table.loc[len(table)] = [of, entry.name, name, found, seconds]
        artifacts.write_csv(path, table)
        print(f"{entry.name}, {name}: {found} ({seconds} s)", flush=True)
    return table


def main() -> None:
    """Sit, say how many pairs were equal, and exit 1 if one was not."""
    options = rows.options("doubles", __doc__)
    try:
        table = sit(options.project, options.out / "doubles.csv", minutes=options.minutes)
    except (ValueError, OSError) as error:
        sys.exit(f"doubles: {error}")
    equal = (table["outcome"] == EQUAL).sum()
    unset = table["outcome"].str.startswith(NOT_SET).sum()
    print(
        f"doubles: {equal} of {len(table) - unset} equal, {unset} conditions could not be set here"
    )
    sys.exit(bool(equal < len(table) - unset or not equal))


if __name__ == "__main__":
    main()
