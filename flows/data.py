"""data: check a downloaded data set, bring it into data/raw in few files, and hand it to DVC.

Its reader looks at the download where it lies, so nothing is copied that does not fit; copying is
flows/delivery.py's. A folder `weights` beside the download comes along: the networks of a study
that starts from pretrained weights need it, and `make data` is then the only command that fetches
anything.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from flows import delivery, files, pipeline, processes

RAW = Path("data/raw")
READERS = Path("cxr/datasets")
WEIGHTS = "weights"  # a plain folder of safetensors files: no reader, no manifest


def datasets() -> list[str]:
    """List the data sets that have a reader and are not made by a stage, sorted."""
    names = {path.stem for path in READERS.glob("*.py") if not path.stem.startswith("_")}
    made = {path.stem for path in Path("stages").glob("*.py")}
    return sorted(names - made)


def survey(dataset: str, folder: Path) -> dict[str, Any]:
    """Let the reader read `folder`; return its `words` and `digest`, raise ValueError with its complaint."""
    result = subprocess.run(
        [sys.executable, "-m", "stages", "--dataset", dataset, "--folder", str(folder), "--json"],
        env=pipeline.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        words = result.stderr.strip().removeprefix("error: ")
        raise ValueError(
            f"{folder} has not the layout that the reader of {dataset} expects: {words} "
            "(nothing was copied)"
        )
    return json.loads(result.stdout)


def bring_weights(source: Path) -> list[str]:
    """Copy the safetensors files of `source` that data/raw/weights lacks; return a line for each."""
    lines = []
    for inside, path in delivery.files(source).items():
        if not inside.endswith(".safetensors"):
            continue
        target = RAW / WEIGHTS / inside
        digest = sha256(path)
        if target.exists() and sha256(target) != digest:
            raise ValueError(f"{target} differs from {path}: remove the wrong one and try again")
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with files.replacing(target) as partial:
                shutil.copyfile(path, partial)
            lines.append(f"{target}: copied from {path}, sha256 {digest}")
    return lines


def sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def add(dataset: str, source: Path) -> None:
    """Bring one data set, with the weights beside it, and say what happened."""
    if dataset not in (*datasets(), WEIGHTS):
        made = " (made by its stage)" if (Path("stages") / f"{dataset}.py").exists() else ""
        raise ValueError(
            f"unknown data set {dataset!r}{made}: known are {', '.join([*datasets(), WEIGHTS])}"
        )
    if not source.exists():
        raise ValueError(
            f"FROM={source} is missing: give the downloaded folder, e.g. FROM=../downloads/x"
        )
    if dataset == WEIGHTS:
        print("\n".join(bring_weights(source)) or f"{RAW / WEIGHTS} already holds them")
    else:
        words = delivery.bring(
            dataset, source, RAW / dataset, lambda folder: survey(dataset, folder)
        )
        print(f"{words}; DVC takes note of it", flush=True)
        pipeline.add(str(RAW / dataset))
        companion = source.resolve().parent / WEIGHTS
        if companion.is_dir() and any(companion.glob("*.safetensors")):
            for line in bring_weights(companion):
                print(f"pretrained weights beside it: {line}")
    if (RAW / WEIGHTS).is_dir():
        pipeline.add(str(RAW / WEIGHTS))


def main() -> None:
    """Bring the data set named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m flows.data", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("dataset", help=f"one of {', '.join([*datasets(), WEIGHTS])}")
    parser.add_argument("source", type=Path, help="the downloaded folder (or file)")
    arguments = parser.parse_args()
    processes.terminate_as_interrupt()
    try:
        add(arguments.dataset, arguments.source)
    except (ValueError, OSError, pipeline.Failed, pipeline.Locked) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted: nothing half is left, run it again", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
