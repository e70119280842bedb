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
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from cxr import answering, artifacts, images, prepared, workers
from cxr.phantom.patient import patient
from cxr.phantom.radiograph import radiographs
from cxr.preprocessing import _chain
from cxr.speed import host
from cxr.training import models
from tests.bench import contenders, data, latency, phantoms
from tests.bench.predict_ways import MODEL, WAYS

REPORT = data.ROOT / "reports/host/bench-predict.json"
COUNT, SMALL_PX = 1000, 256
PER_SECOND, START_S, APART = 50.0, 1.0, 1e-5
STARTS = 7


def draw(path: Path) -> None:
    """Write the first image of a patient as PNG."""
    who = patient(2, int(path.stem), task="multilabel")
    phantoms.write(path, radiographs(2, who, image_px=SMALL_PX)[0].pixels_HW)


def lay(folder: Path, count: int) -> Path:
    """Make the current folder a project with the exported model and small phantoms; return their folder."""
    small = folder / "small"
    small.mkdir()
    paths = [small / f"{number:04d}.png" for number in range(count)]
    workers.run(draw, paths, words=f"phantoms of {SMALL_PX} px", chunk=20)
    latency.lay("mobilenetv2_100", size_px=contenders.SIZE_PX)
    chain = _chain.build(contenders.STEPS, where="tests/bench")
    index = pd.DataFrame(
        {"image": [x.name for x in paths], **dict.fromkeys(prepared.COLUMNS[1:], "")}
    )
    index[["age_years", "label:x"]] = 50.0, 0.0
    index["patient"] = index["image"]
    prepared.write(
        Path("data/prepared"),
        lambda rows: (_chain.apply(_decoded(path), chain) for path in paths[rows]),
        index,
    )
    parts = np.repeat(["train", "val"], [count // 2, count - count // 2])
    artifacts.write_csv(
        Path("data/splits.csv"), pd.DataFrame({"image": index["image"], "fold_0": parts})
    )
    tree = {
        "seed": 1, "ingest": {"datasets": ["phantom"]}, "preprocess": {"steps": contenders.STEPS},
        "split": {"protocol": "by_patient", "test": "in_turn"}, "export": {"models": [MODEL], "int8": []},
    }  # fmt: skip
    with Path("params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(tree, file)
    program("stages.export", MODEL)
    return small


def _decoded(path: Path) -> np.ndarray:
    return images.decode(path.read_bytes(), name=path.name).grey


def program(*words: str) -> str:
    """Run `python -m <words>` in the current folder; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(data.ROOT)},
    )  # fmt: skip
    if done.returncode:
        raise ValueError(f"{' '.join(words)} failed: {done.stderr[-2000:]}")
    return done.stdout


def equal(small: Path) -> dict[str, Any]:
    """Hold inputs and outputs of the exported model against the pipeline's own."""
    opened = answering.open_model(Path("data/exported") / MODEL)
    whole, member = (
        prepared.read(Path("data/prepared")),
        models.load(Path("data/models") / MODEL, 0),
    )
    same, apart = 0, 0.0
    for start in range(0, len(whole.index), contenders.BATCH):
        rows = np.arange(start, min(start + contenders.BATCH, len(whole.index)))
        theirs_NSS = whole.gather(rows)
        own_NSS = np.stack(
            [
                opened.prepare((small / name).read_bytes(), name)
                for name in whole.index["image"].iloc[rows]
            ]
        )
        same += int((own_NSS == theirs_NSS).all(axis=(1, 2)).sum())
        found = opened.answer(own_NSS).probabilities - models.predict_once(member, theirs_NSS)
        apart = max(apart, float(np.abs(found).max()))
    return {"images": len(whole.index), "same_inputs": same, "largest_difference": apart}


def starts(small: Path, times: int) -> list[float]:
    """Return the seconds of `cxr predict` with one file, each from a process of its own."""
    found, words = (
        [],
        ("cxr", "predict", f"data/exported/{MODEL}", str(small / "0000.png"), "--demo"),
    )
    program(*words)  # reads what no page holds yet
    for _ in range(times):
        begin = time.perf_counter()
        program(*words)
        found.append(time.perf_counter() - begin)
    return found


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
    with tempfile.TemporaryDirectory(prefix="cxrepro-predict-") as name:
        folder = Path(name)
        data.make(folder, pictures)
        os.chdir(folder)
        small = lay(folder, given.count)
        before = host.moment()
        rates = {
            str(count): data.measure(folder, count, which, given.rounds, module="tests.bench.predict_ways")
            for count in (1, 2)
        }  # fmt: skip
        tree = {"host": host.about(), "equal": equal(small), "rates": rates,
                "starts_s": starts(small, STARTS), "load": host.between(before, host.moment())}  # fmt: skip
        os.chdir("/")
    said, held = lines(tree)
    print("\n".join(said))
    artifacts.write_json(REPORT, tree)
    sys.exit(not held)


if __name__ == "__main__":
    main()
