"""speed: how fast exported models answer here, how much memory they take, and how large they are.

Each model's ONNX file is run by ONNX Runtime and OpenVINO, beside the same network in eager PyTorch:
batches of 1 and 32, 1 and 2 threads, the contenders of each in turns; then once more within one core
and 512 MB. The first model, best the parent, is what the others are held against. Writes reports/host/speed.json and
speed.md, which git and DVC ignore; `make record` keeps the first beside a study. Minutes; measure on a
quiet machine.
"""

from __future__ import annotations

from cxr import numerics

if __name__ == "__main__":
    numerics.enter()  # before numpy and torch read the environment

import argparse
import importlib.util
import itertools
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cxr import artifacts, params, progress
from cxr.speed import edge, host, report, subjects, turns
from cxr.speed.subjects import Subject
from cxr.speed.turns import ROOT, Contender

REPORT = Path("reports/host/speed.json")
LIBRARY = ROOT / ".bench"
BATCHES, THREADS = (1, subjects.IMAGES), (1, 2)
FORMAT = 1
_INSTALL = "not installed: `make bench-setup`"


def contenders(found: Sequence[Subject], *, batch: int, threads: int) -> list[Contender]:
    """Return all ways of scoring the models at this batch and number of threads.

    The exact profile is of one thread; beside it stands PyTorch as it is installed.
    """
    result = []
    for one in found:
        ways: list[tuple[turns.Engine, str, bool, Path]] = [
            (engine, precision, False, path)
            for engine in ("onnxruntime", "openvino")
            for precision, path in one.files.items()
        ]
        exact = (True, False) if threads == 1 else (False,)
        ways += [("pytorch", "float32", profile, one.folder) for profile in exact]
        result += [
            Contender(
                model=one.name, engine=engine, precision=precision, exact=profile, file=path,
                batch=batch, threads=threads,
            )
            for engine, precision, profile, path in ways
        ]  # fmt: skip
    return result


def installed(library: Path) -> bool:
    """Tell whether OpenVINO is there: in `library`, or in the environment."""
    return (library / "openvino").is_dir() or importlib.util.find_spec("openvino") is not None


def measure(
    found: Sequence[Subject], folder: Path, library: Path, *, rounds: int, seconds: float
) -> dict[str, Any]:
    """Return the whole report; `folder` is for the images."""
    images = folder / "images.npy"
    artifacts.write_array(images, subjects.images(subjects.one_side(found)))
    there = installed(library)
    before, rows = host.moment(), []
    expected: dict[str, Any] = {}
    able_threads = [count for count in THREADS if count <= len(os.sched_getaffinity(0))]
    for batch, threads in itertools.product(BATCHES, able_threads):
        asked = contenders(found, batch=batch, threads=threads)
        able = [one for one in asked if there or one.engine != "openvino"]
        words = f"batch {batch}, {threads} thread(s), {len(able)} contenders"
        progress.say(f"speed: {words}")
        measured = turns.side_by_side(
            able, images, library, rounds=rounds, seconds=seconds, words=words
        )
        rows += report.rows(measured, first=found[0].name)
        expected |= {  # at the end those of the largest batch
            one.contender.model: one.ready["output"]
            for one in measured
            if one.contender.engine == "pytorch"
        }
        rows += [{**report.described(one), "missing": _INSTALL} for one in asked if one not in able]
    load = host.between(before, host.moment())
    progress.say("speed: within one core and 512 MB")
    small = [
        one
        for batch in BATCHES
        for one in contenders(found, batch=batch, threads=1)
        if not one.exact and (there or one.engine != "openvino")
    ]
    return {
        "format": FORMAT,
        "host": host.about(),
        "load": load,
        "rounds": rounds,
        "seconds": seconds,
        "models": {one.name: one.about() for one in found},
        "rows": rows,
        "edge": edge.try_all(small, images, library, expected=expected),
    }


def main() -> None:
    """Measure the models of the command line, print the page and write both reports."""
    parser = argparse.ArgumentParser(prog="python -m cxr.speed", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument(
        "models", nargs="*", help="folders of data/exported; export.models if not given"
    )
    parser.add_argument(
        "--size-px", type=int, help="side of the images: the models are exported anew for it"
    )
    parser.add_argument("--rounds", type=int, default=12, help="turns of each contender")
    parser.add_argument("--seconds", type=float, default=0.5, help="of a turn, about")
    parser.add_argument(
        "--library", type=Path, default=LIBRARY, help="folder that OpenVINO is installed in"
    )
    given = parser.parse_args()
    numerics.exact_torch()
    try:
        names = given.models or params.value("export.models")
        if not names:
            raise ValueError("no model to measure: name one, or list some in export.models")
        with tempfile.TemporaryDirectory(prefix="cxrepro-speed-") as name:
            folder = Path(name)
            found = [
                subjects.subject(model, size_px=given.size_px, scratch=folder)
                for model in dict.fromkeys(names)
            ]
            tree = measure(found, folder, given.library, rounds=given.rounds, seconds=given.seconds)
    except (ValueError, turns.Failed) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    artifacts.write_json(REPORT, tree)
    page = report.page(tree)
    artifacts.write_text(REPORT.with_suffix(".md"), page)
    print(page)


if __name__ == "__main__":
    main()
