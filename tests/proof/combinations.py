"""Random combinations, committed, wiped and made again: `python -m tests.proof.combinations`.

In a clone of HEAD, each combination of tests/proof/draws becomes a study: `make study`, `make repro`, all
committed, all data pushed to a remote in a folder. When a batch is there, data and cache are wiped, and the
commits come again in an order drawn by lot. Without the remote, `make verify` runs everything in a clean
clone of the commit and compares every byte. With it, some stages' data are pulled, drawn by lot as a remote
that lost the others, and `make repro` makes the rest; then git must see nothing changed. A line of
reports/proof/combinations.csv says which it was and what came of it. A sitting ends by itself; the next goes
on where it ended: each combination comes once, its line names the code. Exit 1 if anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML

from cxr import artifacts
from flows import pipeline
from tests.proof import clones, draws
from tests.proof.rows import EQUAL, MINUTES, REPORT

SCRATCH = pipeline.HERE.resolve() / "data/.scratch/proof-combinations"
COLUMNS = ("code", "combination", "stages", "way", "outcome", "seconds")
COUNT, BATCH = 60, 3


class Failed(RuntimeError):
    """A program ended badly; its last words."""


def make(root: Path, *words: str, **more: str) -> str:
    """Run make in the clone and return what it said; raise Failed."""
    said = clones.make(root, *words, TMPDIR=str(root.parent / "tmp"), **more)
    if said.returncode:
        raise Failed(" ".join((said.stderr.strip() or said.stdout.strip()).split("\n")[-3:])[-400:])
    return said.stdout + said.stderr


def prepare(root: Path) -> None:
    """Clone HEAD with a remote of its own beside it."""
    (root.parent / "tmp").mkdir(parents=True, exist_ok=True)
    clones.clone(root)
    clones.dvc(root, "remote", "add", "--local", "-d", "store", str(root.parent / "store"))


def first(root: Path, number: int) -> str:
    """Make a combination, commit it, push its data; return the commit."""
    name = f"combination_{number}"
    folder = root / "studies" / name
    folder.mkdir(exist_ok=True)
    YAML(typ="safe", pure=True).dump(draws.study(number), folder / "study.yaml")
    make(root, "study", f"STUDY={name}")
    make(root, "repro")
    clones.git(root, "add", "-A")
    clones.git(root, "commit", "-qm", name)
    clones.dvc(root, "push", "--quiet")
    return clones.git(root, "rev-parse", "HEAD").strip()


def wipe(root: Path) -> None:
    """Remove all data and DVC's cache, as a fresh clone has none."""
    clones.git(root, "clean", "-qfdx", "data", "reports", "studies")
    shutil.rmtree(root / ".dvc/cache", ignore_errors=True)
    shutil.rmtree(root / ".dvc/tmp", ignore_errors=True)


def verified(root: Path, commit: str) -> str:
    """Make everything anew in a clean clone, without the remote; return the outcome."""
    try:
        make(root, "verify", f"REV={commit}")
    except Failed as error:
        return str(error)
    return EQUAL


def half_pulled(root: Path, commit: str, lot: draws.Lot) -> str:
    """Pull the data of some stages and make the rest; return the outcome."""
    clones.git(root, "checkout", "-q", "--detach", commit)
    wipe(root)
    names = [
        stage.name
        for stage in pipeline.graph(root)
        if any(x.startswith("data/") for x in stage.outs)
    ]
    kept = [name for name in names if lot.falls(0.5)]
    if kept:
        clones.dvc(root, "pull", "--quiet", *kept)
    try:
        said = make(root, "repro")
    except Failed as error:
        return str(error)
    changed = clones.git(root, "status", "--porcelain")
    if changed:
        return "differs: " + " ".join(changed.split())
    return EQUAL if "Running stage" in said or len(kept) == len(names) else "nothing ran"


def batch(root: Path, numbers: Sequence[int]) -> list[dict[str, str | int]]:
    """Make some combinations, wipe, and make them again in another order; return a row for each."""
    lot, commits = draws.Lot(numbers[0], "again"), {}
    for number in numbers:
        commits[number] = first(root, number)
        print(f"combination {number}: committed {commits[number][:12]}", flush=True)
    wipe(root)
    rows: list[dict[str, str | int]] = []
    for number in lot.mixed(numbers):
        with_remote = lot.falls(0.5)
        start = time.monotonic()
        came = (
            half_pulled(root, commits[number], lot)
            if with_remote
            else verified(root, commits[number])
        )
        lock = clones.git(root, "show", f"{commits[number]}:dvc.lock")
        rows.append({
            "combination": number, "stages": len(pipeline.parse_lock(lock)),
            "way": "half-pulled remote" if with_remote else "clean clone, no remote",
            "outcome": came, "seconds": round(time.monotonic() - start),
        })  # fmt: skip
        print(
            f"combination {number}: {rows[-1]['way']}: {came} ({rows[-1]['seconds']} s)", flush=True
        )
    return rows


def code() -> str:
    """Return twelve digits of the code's tree: what the stages run and what is drawn here."""
    words = [
        clones.git(pipeline.HERE, "rev-parse", f"HEAD:{x}")
        for x in ("cxr", "stages", "flows", "dvc.yaml")
    ]
    words.append(Path(draws.__file__).read_text(encoding="utf-8"))
    return hashlib.sha256("".join(words).encode()).hexdigest()[:12]


def sit(path: Path, *, count: int, offset: int, minutes: float) -> pd.DataFrame:
    """Work batch by batch until so many are done or the time is over; return all lines."""
    end = time.monotonic() + 60 * minutes
    table = (
        artifacts.read_csv(path, dtype={"code": str})
        if path.is_file()
        else pd.DataFrame(columns=COLUMNS)
    )
    left = [x for x in range(offset, offset + count) if x not in set(table["combination"])]
    print(
        f"combinations: {len(left)} of {count} left, about {3 * len(left)} minutes of one core",
        flush=True,
    )
    shutil.rmtree(SCRATCH, ignore_errors=True)
    while left and time.monotonic() < end:
        numbers, left = left[:BATCH], left[BATCH:]
        root = SCRATCH / f"{numbers[0]}" / "clone"
        prepare(root)
        rows = [{"code": code(), **row} for row in batch(root, numbers)]
        table = pd.concat([table, pd.DataFrame(rows)], ignore_index=True)
        artifacts.write_csv(path, table[list(COLUMNS)])
        if all(row["outcome"] == EQUAL for row in rows):  # else it is kept, to look at
            shutil.rmtree(SCRATCH / f"{numbers[0]}")
    return table


def main() -> None:
    """Sit, say how many came again, and exit 1 if one did not."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.combinations", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--offset", type=int, default=0, help="the first one's number")
    parser.add_argument(
        "--fresh", action="store_true", help="numbers that the code's digits decide"
    )
    parser.add_argument("--out", type=Path, default=REPORT)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of a sitting, about")
    options = parser.parse_args()
    try:
        offset = int(code()[:7], 16) if options.fresh else options.offset
        table = sit(
            options.out / "combinations.csv",
            count=options.count,
            offset=offset,
            minutes=options.minutes,
        )
    except (Failed, ValueError, OSError, AssertionError, subprocess.CalledProcessError) as error:
        sys.exit(f"combinations: {error}")
    equal = (table["outcome"] == EQUAL).sum()
    print(f"combinations: {equal} of {len(table)} came again byte for byte")
    sys.exit(bool(equal < len(table) or not equal))


if __name__ == "__main__":
    main()
