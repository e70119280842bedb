"""Where the golden hashes hold: `python -m tests.proof.processors` adds this machine to the table.

`make doctor` runs as it is, and in qemu (Debian: package qemu-user) on processors that have AVX2 and nothing
wider. reports/proof/processors.csv has a line for each processor and golden file: one that is there is run
again only with `--again`. Under an emulator a program that starts itself anew would go on outside of it, so
the pins are in the environment before it starts. Exit 1 if any of them is not in the class.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from cxr import artifacts, doctor, numerics
from tests.proof.rows import REPORT

COLUMNS = ("processor", "family_model", "widest", "golden", "probes", "same", "in_class", "seconds")
EMULATED = ("Haswell", "Skylake-Client")
"""qemu's names: AVX2 and FMA, no AVX-512"""


def here() -> dict[str, str]:
    """Return this machine's processor: its name, family and model, its widest vector instructions."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0]
    told = dict(re.findall(r"^(.+?)\s*: (.*)$", text, re.MULTILINE))
    flags = told.get("flags", "").split()
    widest = next((x for x in ("avx512f", "avx2", "avx") if x in flags), "none")
    family = f"{told.get('vendor_id', '')} {told.get('cpu family', '')}-{told.get('model', '')}"
    return {"processor": doctor.processor(), "family_model": family, "widest": widest}


def emulated(name: str) -> dict[str, str]:
    """Return what stands for a processor that qemu plays."""
    return {"processor": f"{name} (qemu)", "family_model": "emulated", "widest": "avx2"}


def probe(*before: str) -> dict[str, str | int]:
    """Run the doctor and return how many probes there were, and how many gave the golden hash."""
    environment = {**os.environ, **numerics.PINS, "CXR_PINNED": "1"}
    start = time.monotonic()
    said = subprocess.run(
        [*before, sys.executable, "-m", "cxr.doctor"], env=environment, capture_output=True, text=True
    )  # fmt: skip
    words = re.findall(r"^\w+ +(same|DIFFERS|not in the golden file)$", said.stdout, re.MULTILINE)
    if not words:
        raise RuntimeError(f"the doctor said nothing:\n{said.stdout}{said.stderr[-2000:]}")
    return {
        "probes": len(words),
        "same": words.count("same"),
        "in_class": "yes" if said.returncode == 0 else "no",
        "seconds": round(time.monotonic() - start),
    }


def main() -> None:
    """Add what is lacking and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.processors", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--out", type=Path, default=REPORT)
    parser.add_argument("--again", action="store_true", help="run those that are there too")
    options = parser.parse_args()
    golden = hashlib.sha256(doctor.GOLDEN.read_bytes()).hexdigest()[:12]
    wanted = [(here(), ())]
    qemu = shutil.which("qemu-x86_64")
    wanted += [(emulated(name), (qemu, "-cpu", name)) for name in EMULATED if qemu]
    if not qemu:
        print("processors: no qemu-x86_64 here (Debian: package qemu-user): none is emulated")
    path = options.out / "processors.csv"
    table = artifacts.read_csv(path) if path.is_file() else pd.DataFrame(columns=COLUMNS)
    for about, before in wanted:
        there = (table[list(about)] == pd.Series(about)).all(axis=1) & (table["golden"] == golden)
        if there.any() and not options.again:
            continue
        row = pd.DataFrame([{**about, "golden": golden, **probe(*before)}])
        table = pd.concat([table[~there], row], ignore_index=True)
        artifacts.write_csv(path, table[list(COLUMNS)])
    print(table.to_string(index=False))
    sys.exit(bool((table["in_class"] != "yes").any()))


if __name__ == "__main__":
    main()
