"""From an X-ray's file to an answer, beside the usual ways: `make bench-predict`.

MobileNetV2 cut evenly to 30 % of its MACs, at 224 px with 14 labels, exported by the stage; time does not
depend on what the weights are, so nobody trains them. In one run:

- 1,000 phantoms of 256 px: what `cxr predict` prepares from the files is, byte for byte, what the pipeline
  prepared, and its probabilities are the network's in PyTorch (1e-5);
- 200 phantoms of 1024 px, from files to answers with one and with two processes, in turns: ours, eager
  PyTorch behind a loop of OpenCV's, and behind torchxrayvision's data set. Promised: 50 images/s on two cores;
- `cxr predict` of one file, from its start to its end. Promised: 1.0 s in the median.

Rows in reports/host/bench-predict.json; measure on a quiet machine. Exit 1 if a promise does not hold.
"""

from __future__ import annotations

from cxr import numerics

if __name__ == "__main__":
    numerics.enter()  # before numpy and torch read the environment

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxr import answering, artifacts, prepared
from cxr.speed import host
from cxr.training import models
from tests.bench import contenders, data, latency, phantoms
from tests.bench.predict_ways import MODEL, WAYS
from tests.pruning import projects

REPORT = data.ROOT / "reports/host/bench-predict.json"
COUNT, SMALL_PX = 1000, 256
PER_SECOND, START_S, APART = 50.0, 1.0, 1e-5
STARTS = 7


def lay(small: Sequence[Path]) -> None:
    """Make the current folder a project with the exported model and the small phantoms prepared."""
    latency.lay("mobilenetv2_100", size_px=contenders.SIZE_PX)
    data.prepare(Path("data/prepared"), small)
    parts = np.repeat(["train", "val"], [len(small) // 2, len(small) - len(small) // 2])
    splits = pd.DataFrame({"image": [path.name for path in small], "fold_0": parts})
    artifacts.write_csv(Path("data/splits.csv"), splits)
    projects.parameters(
        Path(), ingest={"datasets": ["phantom"]}, preprocess={"steps": contenders.STEPS},
        split={"protocol": "by_patient", "test": "in_turn"}, export={"models": [MODEL], "int8": []},
    )  # fmt: skip
    projects.run(Path(), 1, "stages.export", MODEL)


def equal(small: Sequence[Path]) -> dict[str, Any]:
    """Hold inputs and outputs of the exported model against the pipeline's own."""
    opened = answering.open_model(Path("data/exported") / MODEL)
    whole = prepared.read(Path("data/prepared"))
    member, same, apart = models.load(Path("data/models") / MODEL, 0), 0, 0.0
    for start in range(0, len(small), contenders.BATCH):
        some = small[start : start + contenders.BATCH]
        theirs_NSS = whole.gather(np.arange(start, start + len(some)))
        own_NSS = np.stack([opened.prepare(path.read_bytes(), path.name) for path in some])
        same += int((own_NSS == theirs_NSS).all(axis=(1, 2)).sum())
        found = opened.answer(own_NSS).probabilities - models.predict_once(member, theirs_NSS)
        apart = max(apart, float(np.abs(found).max()))
    return {"images": len(small), "same_inputs": same, "largest_difference": apart}


def starts(picture: Path, times: int) -> list[float]:
    """Return the seconds of `cxr predict` with one file, each from a process of its own."""
    found = []
    for _ in range(1 + times):
        begin = time.perf_counter()
        projects.run(Path(), 1, "cxr", "predict", f"data/exported/{MODEL}", str(picture), "--demo")
        found.append(time.perf_counter() - begin)
    return found[1:]  # the first reads what no page holds yet


def lines(tree: dict[str, Any]) -> tuple[list[str], bool]:
    """Return what was found, line by line, and whether the promises hold."""
    same, start = tree["equal"], statistics.median(tree["starts_s"])
    equals = same["same_inputs"] == same["images"] and same["largest_difference"] <= APART
    said = [
        f"{same['same_inputs']:,} of {same['images']:,} inputs are the pipeline's bytes; probabilities are at "
        f"most {same['largest_difference']:.1e} from PyTorch's: {'held' if equals else 'NOT HELD'}"
    ]
    for name in tree["rates"]["2"]:
        rates = [
            f"{tree['rates'][count][name]['per_second']:.1f} images/s, "
            f"{tree['rates'][count][name]['cpu_ms']:.1f} ms of a processor each" for count in ("1", "2")
        ]  # fmt: skip
        said.append(f"{name:16} one process: {rates[0]}; two: {rates[1]}")
    fast = tree["rates"]["2"]["ours"]["per_second"] >= PER_SECOND
    said.append(f"two cores, {PER_SECOND:g} images/s promised: {'held' if fast else 'NOT HELD'}")
    soon = start <= START_S
    said.append(f"start to end of one answer: {start:.2f} s ({START_S:g} s promised): {'held' if soon else 'NOT HELD'}")  # fmt: skip
    return said, equals and fast and soon


def main() -> None:
    """Measure, print what was found, exit 1 if less than was promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.predict", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--rounds", type=int, default=5, help="turns of each way")
    parser.add_argument("--images", type=int, default=phantoms.COUNT, help="of 1024 px")
    parser.add_argument(
        "--count", type=int, default=COUNT, help="whose inputs and outputs are compared"
    )
    given = parser.parse_args()
    numerics.exact_torch()
    which = [name for name in WAYS if name != "torchxrayvision" or data.LIBRARY.is_dir()]
    pictures = phantoms.images(given.images)
    small = phantoms.images(given.count, size_px=SMALL_PX)
    with tempfile.TemporaryDirectory(prefix="cxrepro-predict-") as name:
        folder = Path(name)
        data.make(folder, pictures)
        os.chdir(folder)
        lay(small)
        before = host.moment()
        rates = {
            str(count): data.measure(folder, count, which, given.rounds, module="tests.bench.predict_ways")
            for count in (1, 2)
        }  # fmt: skip
        tree = {"host": host.about(), "equal": equal(small), "rates": rates,
                "starts_s": starts(small[0], STARTS), "load": host.between(before, host.moment())}  # fmt: skip
        os.chdir("/")
    said, held = lines(tree)
    print("\n".join(said))
    artifacts.write_json(REPORT, tree)
    sys.exit(not held)


if __name__ == "__main__":
    main()
