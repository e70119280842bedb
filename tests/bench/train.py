"""How fast we train, in one run and with the same network, images and epochs: `make bench-train`.

- loop: our training loop beside the barest one (tests/bench/train_loop.py)
- decode: from image files to a trained network, beside decoding in every epoch (train_decode.py)
- frozen: kept features of frozen layers beside images, and what n kept views are worth (train_frozen.py)

Contenders work in turns and the order turns with the rounds; the median counts, and beside images a
second stands the processor time of an image, which other work on the machine moves less. Numbers depend
on the machine: they go to reports/host/bench-train/, which git and DVC ignore. The scores of views on
real data do not, and go to reports/bench/train/. A part that is done is not measured again (--again
does) unless its plan or the code has changed: a run that was ended goes on with the part it was in.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxr import numerics

if TYPE_CHECKING:
    from tests.bench.train_rows import Row, Rows

ROOT = Path(__file__).resolve().parents[2]
HOST = ROOT / "reports/host/bench-train"
REPORT = ROOT / "reports/bench/train"
STEPS = {"loop": ("loop",), "decode": ("decode",), "frozen": ("frozen", "views")}
"""What the parts of the command line are measured in."""
CODE = (
    "cxr", "tests/bench/phantoms.py", "tests/bench/train.py", "tests/bench/train_decode.py",
    "tests/bench/train_frozen.py", "tests/bench/train_loop.py", "tests/bench/train_setup.py",
    "tests/bench/train_usual.py",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Sizes, as keywords of each part's `measure`; minutes on two idle cores like those it was made on."""

    loop: dict[str, Any]
    loop_px: tuple[int, ...]
    decode: dict[str, Any]
    frozen: dict[str, Any]
    views: dict[str, Any]
    """px, folds and epochs; train and val of phantoms, where there are no real images"""
    minutes: dict[str, float]

    def recipes(self, *, real: bool) -> dict[str, str]:
        """Return by step the hash of all that its rows depend on."""
        from cxr import scratch

        sizes = {
            "loop": (self.loop, self.loop_px), "decode": (self.decode, real), "frozen": self.frozen,
            "views": (self.views, real),
        }  # fmt: skip
        return {step: scratch.key(step, repr(said), code=CODE) for step, said in sizes.items()}


FULL = Plan(
    loop={"images": 192, "epochs": 2, "rounds": 5},
    loop_px=(96, 128),
    decode={"train": 160, "val": 40, "batch": 32, "epochs": 12, "px": 96, "rounds": 3},
    frozen={"backbone": "mobilenetv2_100", "train": 128, "val": 32, "epochs": 20, "px": 224, "batch": 64, "rounds": 3},
    views={"px": 128, "folds": 5, "epochs": 20, "train": 160, "val": 40},
    minutes={"loop": 3.0, "decode": 4.5, "frozen": 3.5, "views": 2.5},
)  # fmt: skip
QUICK = Plan(
    loop={"images": 32, "epochs": 2, "rounds": 2},
    loop_px=(32,),
    decode={"train": 32, "val": 8, "batch": 32, "epochs": 2, "px": 32, "rounds": 2},
    frozen={"backbone": "mobilenetv2_035", "train": 16, "val": 8, "epochs": 3, "px": 64, "batch": 8, "rounds": 2},
    views={"px": 64, "folds": 2, "epochs": 2, "train": 32, "val": 8},
    minutes={"loop": 0.2, "decode": 1.0, "frozen": 0.1, "views": 0.2},
)  # fmt: skip


def forecast(plan: Plan, steps: Iterable[str]) -> Iterator[str]:
    """Yield a line for each step: what it will compute, and how long it may take."""
    loop, decode, frozen, views = plan.loop, plan.decode, plan.frozen, plan.views
    said = {
        "loop": f"mobilenetv2_035 at {' and '.join(map(str, plan.loop_px))} px: {loop['images']} images and their mirror images x {loop['epochs']} epochs, 3 ways, {loop['rounds']} rounds after one that is not counted",
        "decode": f"{decode['train']} + {decode['val']} PNG of 1024 px to {decode['px']} px, mobilenetv2_035, {decode['epochs']} epochs, 2 ways, {decode['rounds']} rounds on one core and on two, after 12 ways tried for an epoch",
        "frozen": f"{frozen['backbone']} at {frozen['px']} px, frozen: {frozen['train']} + {frozen['val']} images x {frozen['epochs']} epochs, 2 ways, {frozen['rounds']} rounds",
        "views": f"mobilenetv2_035 at {views['px']} px, frozen: 4 ways, {views['folds']} seeds x {views['epochs']} epochs",
    }  # fmt: skip
    for step in steps:
        yield f"{step}: {said[step]}; about {plan.minutes[step]:g} minutes"


def measured(plan: Plan, step: str, real: Path | None) -> Iterator[Row]:
    """Yield the rows of a step as they come."""
    if step == "loop":
        from tests.bench import train_loop

        for px in plan.loop_px:
            yield from train_loop.measure(**plan.loop, px=px)
    elif step == "decode":
        from tests.bench import train_decode, train_frozen

        if not real:
            print(
                "CXR_REAL_DATA is not set: from random weights nothing is learned from so few images"
            )
        start = train_frozen.imagenet(real) if real else {}
        yield from train_decode.measure(**plan.decode, start=start)
    else:
        from tests.bench import train_frozen

        if step == "frozen":
            yield from train_frozen.measure(**plan.frozen)
        else:
            yield from _views(plan.views, real)


def _views(sizes: dict[str, Any], real: Path | None) -> Iterator[Row]:
    from tests.bench import train_frozen, train_setup

    px, count, epochs = sizes["px"], sizes["folds"], sizes["epochs"]
    if real:
        folds = train_frozen.real_folds(real, px=px, count=count)
        yield from train_frozen.views(folds, train_frozen.real_recipe(real, epochs=epochs))
        return
    print("CXR_REAL_DATA is not set: phantoms under random weights say little of the views' worth")
    folds = train_frozen.phantom_folds(train=sizes["train"], val=sizes["val"], px=px, count=count)
    yield from train_frozen.views(
        folds,
        train_setup.recipe(epochs=epochs, head=train_frozen.HEAD, trainable=["head"], batch_size=16),
    )  # fmt: skip


def work(plan: Plan, steps: Iterable[str], rows: Rows, real: Path | None) -> None:
    """Measure the steps that are not done, tell each row, keep each step."""
    for step in steps:
        if rows.has(step):
            print(f"{step}: measured before, on record in {rows.path}")
            continue
        found, start = [], time.perf_counter()
        for row in measured(plan, step, real):
            found.append(row)
            print(
                f"  {row.part}, round {row.round}, {row.way}: {row.images} images in "
                f"{row.seconds:.2f} s ({row.cpu_seconds:.2f} s of processor time)",
                flush=True,
            )
        rows.add(step, found)
        print(f"{step}: done in {(time.perf_counter() - start) / 60:.1f} minutes", flush=True)


def report(rows: Rows, folder: Path, *, keep_views: bool) -> None:
    """Write the summary and print it; `keep_views`: the scores of views go to the committed reports."""
    from cxr import artifacts
    from tests.bench import train_rows

    table = rows.read()
    summary = train_rows.summarise(table)
    host = {"cores": len(os.sched_getaffinity(0)), "load": [round(x, 2) for x in os.getloadavg()]}
    artifacts.write_json(folder / "summary.json", {"parts": summary, "host": host})
    if folder != HOST:
        print("\nquick: it works or it does not; sizes are far too small to tell anything of speed")
    print("\n".join(train_rows.lines(summary)))
    mine = table[table["part"] == "views"]
    if keep_views and len(mine):
        scores = ["way", "px", "round", "images", "train_loss", "val_auroc", "val_accuracy"]
        artifacts.write_csv(REPORT / "rows.csv", mine[scores].rename(columns={"round": "seed"}))
        said = {part: x["differences"] for part, x in summary.items() if part.startswith("views")}
        artifacts.write_json(REPORT / "summary.json", said)


def main() -> None:
    """Say what is to be computed, compute it, report."""
    numerics.enter()
    parser = argparse.ArgumentParser(prog="python -m tests.bench.train", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it work?")
    parser.add_argument("--part", choices=list(STEPS), nargs="+", default=list(STEPS))
    parser.add_argument("--again", action="store_true", help="measure these parts anew")
    options = parser.parse_args()
    try:
        real = _real()
        os.chdir(ROOT)
        _sit(options, real)
    except ValueError as error:
        sys.exit(f"bench-train: error: {error}")


def _sit(options: argparse.Namespace, real: Path | None) -> None:
    numerics.exact_torch()
    from tests.bench import train_rows

    plan, folder = (QUICK, HOST.with_name("bench-train-quick")) if options.quick else (FULL, HOST)
    steps = [step for part in options.part for step in STEPS[part]]
    rows = train_rows.Rows(folder, plan.recipes(real=real is not None))
    if options.again:
        rows.forget(steps)
    print("\n".join(forecast(plan, [step for step in steps if not rows.has(step)])), flush=True)
    work(plan, steps, rows, real)
    report(rows, folder, keep_views=real is not None and not options.quick)


def _real() -> Path | None:
    named = os.environ.get("CXR_REAL_DATA")
    if named and not Path(named).is_dir():
        raise ValueError(f"CXR_REAL_DATA must name the folder of real data, not {named!r}")
    return Path(named).resolve() if named else None


if __name__ == "__main__":
    main()
