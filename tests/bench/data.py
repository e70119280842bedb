"""How fast images are read, ours beside OpenCV, torchvision and torchxrayvision: `make bench-data`.

One run, the same files (their pages warm), the same cores: each way works in a process of its own,
bound to one core or to two; rounds go in turns and the order turns with them; the median counts.
Beside images a second stands the processor time of an image, which other work on the machine moves
less.
First from PNG of 1024 px to 224 px grey, then an epoch from prepared shards against decoding in every
epoch. Numbers depend on the machine: they go to reports/host/, which git and DVC ignore.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cxr import numerics
from tests.bench import contenders, memory

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / ".bench"
REPORT = Path("reports/host/bench-data.json")
ROUNDS = 3
DECODING = ("ours", "opencv", "torchvision", "torchxrayvision", "torchxrayvision, cv2")
EPOCHS = ("shards", "training")
DOES = {
    "ours": "strict; file and pixel hashes, statistics, thumbnail; written to disk",
    "opencv": "takes damaged files; no hash, nothing kept",
    "torchvision": "takes truncated PNG rows as Pillow does; no hash, nothing kept",
    "torchxrayvision": "float32; no hash, nothing kept",
    "torchxrayvision, cv2": "the same, resizer's other engine",
    "shards": "uint8 shards, shuffled, float32, normalised",
    "training": "the same and augmented: rotation, shift, zoom, brightness, contrast",
}

Rates = dict[str, dict[str, float]]
"""Of each way: per_second, images a second; cpu_ms, processor time of an image."""


class Contender:
    """A way of reading, waiting in a process of its own."""

    def __init__(self, name: str, processes: int, folder: Path, module: str) -> None:
        environment = {k: v for k, v in os.environ.items() if k not in numerics.PINS}
        environment |= {"PYTHONPATH": os.pathsep.join([str(ROOT), str(LIBRARY)])}
        environment.pop("CXR_PINNED", None)
        self.seconds: list[float] = []
        self._name, self._cpu = name, list[float]()
        # a pipe that nobody reads could fill up
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, name, str(processes), str(folder)],
            cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._errors,
        )  # fmt: skip
        self.images = int(self._line().split()[1])

    def round(self) -> None:
        """Work once."""
        assert self._process.stdin is not None
        before = memory.cpu_seconds(self._process.pid)
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self.seconds.append(float(self._line()))
        self._cpu.append(memory.cpu_seconds(self._process.pid) - before)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
        self._errors.close()

    def _line(self) -> str:
        """Return the next line that is ours: some libraries print words of their own."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("ready ") or line.replace(".", "").strip().isdigit():
                return line
        self._errors.seek(0)
        raise ValueError(f"{self._name} ended: {self._errors.read()[-2000:]}")

    def result(self) -> dict[str, float]:
        """Return images a second and processor milliseconds an image, in the median round."""
        seconds, cpu = statistics.median(self.seconds), statistics.median(self._cpu)
        return {"per_second": self.images / seconds, "cpu_ms": 1000 * cpu / self.images}


def make(folder: Path, pictures: Sequence[Path]) -> None:
    """Lay out what the contenders read: PNG files, and ChestX-ray14's table of them."""
    import pandas as pd

    files = folder / "files/x"  # ImageFolder wants a folder per class
    files.mkdir(parents=True)
    names = [f"{number:08d}_000.png" for number in range(1, len(pictures) + 1)]
    for name, picture in zip(names, pictures, strict=True):
        shutil.copyfile(picture, files / name)
    table = pd.DataFrame({"Image Index": names, "Patient ID": range(len(names))})
    table[["Finding Labels", "Patient Gender", "View Position"]] = "No Finding", "F", "PA"
    table["Patient Age"] = 50
    table.to_csv(folder / "table.csv", index=False)


def prepare(folder: Path, pictures: Sequence[Path]) -> None:
    """Write the pictures' prepared shards, in their order."""
    import pandas as pd

    from cxr import images, prepared
    from cxr.preprocessing import _chain

    names = [path.name for path in pictures]
    index = pd.DataFrame({"image": names, **dict.fromkeys(prepared.COLUMNS[1:], "")})
    index[["age_years", "label:x"]] = 50.0, 0.0
    chain = _chain.build(contenders.STEPS, where="tests/bench")

    def ready(rows: slice) -> Iterator[Any]:
        for path in pictures[rows]:
            yield _chain.apply(images.decode(path.read_bytes(), name=path.name).grey, chain)

    prepared.write(folder, ready, index)


def measure(
    folder: Path, processes: int, which: Sequence[str], rounds: int, *,
    module: str = "tests.bench.contenders",
) -> Rates:  # fmt: skip
    """Return what each way needs with so many processes; `module` knows the ways."""
    waiting = {name: Contender(name, processes, folder, module) for name in which}
    try:
        for number in range(rounds):
            turned = list(waiting)[number % len(waiting) :] + list(waiting)[: number % len(waiting)]
            for name in turned:
                waiting[name].round()
    finally:
        for contender in waiting.values():
            contender.close()
    return {name: contender.result() for name, contender in waiting.items()}


def table(rates: Mapping[str, Rates], which: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a table: each way beside ours."""
    yield f"{'':22}" + "".join(f"{column:>38}" for column in rates) + "   what it does, or not"
    for name in which:
        words = [
            f"{found[name]['per_second']:.1f} images/s ({_times(found, name):.2f} x), "
            f"{found[name]['cpu_ms']:.1f} ms"
            for found in rates.values()
        ]
        yield f"{name:22}" + "".join(f"{word:>38}" for word in words) + f"   {DOES[name]}"


def verdict(rates: Mapping[str, Rates]) -> Iterator[str]:
    """Yield a line for each peer that leads, or one that none does."""
    leads = [
        f"{name} leads with {column}: {_times(found, name) - 1:.0%} more images/s than ours"
        for column, found in rates.items()
        for name in found
        if name in DECODING and _times(found, name) > 1
    ]
    yield from leads or ["ours leads each"]


def _times(found: Rates, name: str) -> float:
    return found[name]["per_second"] / found["ours"]["per_second"]


def study(
    pictures: Sequence[Path], words: str, rounds: int, which: Sequence[str]
) -> dict[str, Any]:
    """Measure everything on these images and print it."""
    with tempfile.TemporaryDirectory(prefix="cxrepro-bench-") as name:
        make(Path(name), pictures)
        prepare(Path(name) / "prepared", sorted(Path(name, "files/x").iterdir()))
        rates: dict[str, Rates] = {}
        for processes in (1, 2):
            column = f"{processes} process{'es' if processes > 1 else ''}"
            also = EPOCHS if processes == 1 else ()
            rates[column] = measure(Path(name), processes, (*which, *also), rounds)
    head = (
        f"{words}: PNG of 1024 px to 224 px grey, {len(pictures)} files, median of {rounds} rounds"
    )
    print("\n".join(["", head, *table(rates, which), *verdict(rates)]))
    print(
        "\nAn epoch, 1 process: reading what was prepared once, and decoding again in every epoch"
    )
    for name, found in rates["1 process"].items():
        if name != "ours":
            print(
                f"{name:22}{1e5 / found['per_second']:>10.1f} s for 100,000 images   {DOES[name]}"
            )
    return rates


def real() -> list[Path]:
    """Return the originals of ChestX-ray14 beside the real data, if there are any."""
    folder = os.environ.get("CXR_REAL_DATA")
    return sorted(Path(folder, "fullsize").glob("0*_0*.png")) if folder else []


def main() -> None:
    """Measure, print, and keep the numbers beside the reports."""
    numerics.enter()
    from cxr import artifacts
    from tests.bench import phantoms

    parser = argparse.ArgumentParser(prog="make bench-data", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="at least 3")
    parser.add_argument("--images", type=int, default=phantoms.COUNT, help="how many phantoms")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    which = DECODING if LIBRARY.is_dir() else DECODING[:3]
    if which != DECODING:
        print("torchxrayvision is not there: `make bench-data` installs it into .bench")
    start = time.perf_counter()
    found = {
        "phantoms": study(phantoms.images(arguments.images), "phantoms", arguments.rounds, which)
    }
    if originals := real():
        words = f"{len(originals)} originals of ChestX-ray14, each 10 times"
        found["originals"] = study(originals * 10, words, arguments.rounds, which)
    load = [round(number, 2) for number in os.getloadavg()]
    host = {"cores": len(os.sched_getaffinity(0)), "load": load, "rounds": arguments.rounds}
    artifacts.write_json(REPORT, {"images_per_second": found, "host": host})
    print(
        f"\nload of the machine {load[0]}; {time.perf_counter() - start:.0f} s; numbers in {REPORT}"
    )


if __name__ == "__main__":
    main()
