"""What all long proofs say, in one table: `python -m tests.proof.summary`.

Reads the lines in reports/proof and writes summary.csv there: what was proved, by which command, how often it
was tried, how often it held, and of which dvc.lock or code. Exit 1 if anything that was tried did not hold.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from cxr import artifacts
from tests.proof import doubles, trace
from tests.proof.rows import EQUAL, REPORT

Counts = tuple[int, int]
"""tried, held"""


def _doubles(table: pd.DataFrame) -> Counts:
    tried = ~table["outcome"].str.startswith(doubles.NOT_SET)
    return int(tried.sum()), int((table["outcome"] == EQUAL).sum())


def _outcomes(table: pd.DataFrame) -> Counts:
    return len(table), int((table["outcome"] == EQUAL).sum())


def _kills(table: pd.DataFrame) -> Counts:
    return int(table["kills"].sum()), int(table["kills"][table["outcome"] == EQUAL].sum())


def _opened(table: pd.DataFrame) -> Counts:
    return len(table), len(table) - len(trace.wrong(table))


def _processors(table: pd.DataFrame) -> Counts:
    return len(table), int((table["in_class"] == "yes").sum())


PROOFS: dict[str, tuple[str, str, Callable[[pd.DataFrame], Counts], str]] = {
    "doubles": ("stages run again under another condition", "lock", _doubles, "doubles"),
    "kills": ("kills, each followed by the recorded bytes", "lock", _kills, "kills"),
    "opened": ("stages that open what they declare", "lock", _opened, "trace"),
    "combinations": ("random combinations made again", "code", _outcomes, "combinations"),
    "processors": ("processors on which all probes hold", "golden", _processors, "processors"),
}
"""File in reports/proof → what it counts, the column that says of what, how, and the module that makes it."""


def summary(folder: Path) -> pd.DataFrame:
    """Return a line for each proof, 0 tried of one that has no lines yet."""
    found = []
    for name, (words, of, count, module) in PROOFS.items():
        path = folder / f"{name}.csv"
        tried, held, about = 0, 0, ""
        if path.is_file():
            table = artifacts.read_csv(path, dtype={of: str})
            tried, held = count(table)
            about = " ".join(dict.fromkeys(table[of]))
        found.append({
            "proof": words, "command": f"python -m tests.proof.{module}", "tried": tried, "held": held,
            "of": about,
        })  # fmt: skip
    return pd.DataFrame(found)


def main() -> None:
    """Write and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.summary", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--out", type=Path, default=REPORT)
    options = parser.parse_args()
    table = summary(options.out)
    artifacts.write_csv(options.out / "summary.csv", table)
    print(table.to_string(index=False))
    sys.exit(bool((table["held"] < table["tried"]).any()))


if __name__ == "__main__":
    main()
