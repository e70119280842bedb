"""What a teacher's word is worth to a small student, on held-out images: `make bench-distill`.

For each seed the study darkcovidnet_taught runs through the stages transfer and prune, in a folder of its own,
and then its student is made three times: taught, by itself for as long, by itself for the epochs that suited
it best on val. The students start from the same weights (the teacher's, cut) and see the same batches. The
seed decides division and trainings. Each image is judged by the fold that did not see it, all networks in one
go. Rows of finished seeds stand in reports/bench/distill/rows.csv and
are never made again; openings.csv says how often test was looked at.

Development: `--develop --seeds 100` judges on val and keeps its rows in reports/host/, which git ignores.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxr import numerics

if TYPE_CHECKING:
    from tests.bench.prune_judging import Part

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "reports/bench/distill"
TRIALS = ROOT / "reports/host/bench-distill"
STUDY, DATA = "darkcovidnet_taught", "darkcovidnet"
TEACHER, CUT = "mobilenetv2_035", "uniform_24"
TAUGHT, ALONE, BRIEF = "taught", "alone", "alone_brief"
STUDENTS = (ALONE, BRIEF, TAUGHT)
SEEDS = range(3)
FIRST_OF_ALL = 100
"""Seeds for development begin here."""
MINUTES = 150.0
QUICK_IMAGES, QUICK_FOLDS = 24, 2
_RESERVE_S = 120.0

Tree = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done in a sitting."""

    seeds: Sequence[int]
    tree: Tree
    """the sections transfer, prune and finish"""
    quick: bool
    part: Part
    """what judges"""
    folder: Path
    """for rows and verdict"""

    @property
    def recipe(self) -> str:
        """A hash of all settings that a row depends on, its division's among them."""
        from tests.bench import search_data

        about = repr((self.tree, self.quick, search_data.DATA[DATA]))
        return hashlib.sha256(about.encode()).hexdigest()[:12]


def recipes(*, quick: bool, changes: Mapping[str, Any]) -> Tree:
    """Return the study's sections transfer, prune and finish, `changes` upon them."""
    from flows import study
    from tests.bench.search_data import merged

    composed = study.compose(STUDY)
    tree = merged({key: composed[key] for key in ("transfer", "prune", "finish")}, changes)
    if quick:
        few = {"recipes": {TEACHER: {"epochs": 1}}}
        tree = merged(tree, {"transfer": few, "finish": few})
    return dict(tree)


def project(plan: Plan, seed: int, real: Path) -> Path:
    """Return a folder whose stages can run for a seed; what is there stays."""
    from ruamel.yaml import YAML

    from cxr import scratch
    from tests.bench import prune_data, search_data

    root = ROOT / "data/.scratch"
    source = search_data.project(DATA, real, root / "bench-search-data", seed=seed)
    inputs = [source / "prepared", source / "splits.csv"]
    folder = scratch.folder(
        "bench-distill", inputs=inputs, settings=[plan.tree, seed, plan.quick], root=root
    )
    if not (folder / "params.yaml").is_file():
        few = prune_data.Size(images=QUICK_IMAGES, folds=QUICK_FOLDS)
        weights = plan.tree["transfer"]["recipes"][TEACHER]["weights"]
        prune_data.bring_weights(weights, real / "weights", folder)
        prune_data.copy_images(source, folder, few if plan.quick else prune_data.Size())
        with (folder / "params.partial").open("w", encoding="utf-8") as file:
            YAML(typ="safe", pure=True).dump({"seed": seed, **plan.tree}, file)
        (folder / "params.partial").rename(folder / "params.yaml")
    return folder


def judge(folder: Path, part: Part) -> tuple[list[Tree], list[Any]]:
    """Score all networks in one go; return a row for each, and its resampled AUROC."""
    from cxr import artifacts, manifest, prepared, seeding
    from cxr.training import models
    from tests.bench import prune_judging
    from tests.bench.prune_rows import WHOLE

    bench = prune_judging.Bench(folder, part, DATA)
    labels = manifest.labels(prepared.read(folder / "data/prepared").index)
    images = prune_judging.digest(bench)
    rows, resampled = [], []
    folders = {TEACHER: TEACHER, **{name: f"{TEACHER}-{name}" for name in STUDENTS}}
    every = prune_judging.scored(bench, list(folders.values()))
    for (name, model), scored in zip(folders.items(), every, strict=True):
        # the same patients for every network, and for every seed that judges the same images
        rng = seeding.stream(0, "bench-distill", DATA, images)
        one = prune_judging.weigh(scored, labels, rng=rng)
        about = models.config(folder / "data/models" / model)
        rows.append({
            "share": WHOLE, "method": name, "images": images, "macs": about["macs"],
            "parameters": about["parameters"], "auroc": one.auroc, "accuracy": one.accuracy,
            "labels": artifacts.canonical_json(one.labels),
        })  # fmt: skip
        resampled.append(one.resampled_B)
    return rows, resampled


def sitting(plan: Plan, real: Path, *, deadline: float) -> bool:
    """Work seed by seed until all is done or the time is used up; tell whether all is done."""
    from tests.bench import distill_verdict, prune_data, prune_steps

    rows = distill_verdict.Rows(plan.folder)
    rows.check({DATA: plan.recipe})
    left = [seed for seed in plan.seeds if not rows.has(DATA, seed)]
    print(f"{len(left)} seed(s) left, each about 40 minutes of one core", flush=True)
    for seed in left:
        code, folder = prune_data.code(), project(plan, seed, real)
        try:
            for words, made in steps():
                print(f"seed {seed}: {' '.join(words)}", flush=True)
                prune_steps.run(folder, words, made, deadline=deadline)
        except prune_steps.Over:
            return False
        finally:
            prune_data.same(code, folder)
        openings = rows.open(DATA, seed) if plan.part == "test" else 0
        found, resampled = judge(folder, plan.part)
        about = {"data": DATA, "seed": seed, "part": plan.part, "openings": openings,
                 "recipe": plan.recipe, "code": code}  # fmt: skip
        rows.keep([{**about, **row} for row in found], resampled)
        distill_verdict.report(
            plan.folder, rows, complete=all(rows.has(DATA, x) for x in plan.seeds)
        )
    return True


def steps() -> Iterator[tuple[list[str], str]]:
    """Yield the programs of a seed, and what each of them writes last."""
    yield ["stages.transfer", TEACHER], f"data/models/{TEACHER}/config.json"
    yield ["stages.prune", TEACHER], f"data/pruned/{TEACHER}/cuts.json"
    for name in STUDENTS:
        yield ["tests.bench.distill_student", name], f"data/models/{TEACHER}-{name}/config.json"


def main() -> None:
    """Read the command line, sit; exit 1 with one line for what can't be done."""
    numerics.enter()
    options = parse()
    deadline = time.monotonic() + 60 * options.minutes - _RESERVE_S
    try:
        from tests.bench import search_data, search_rows

        real = search_data.real("bench-distill")
        os.chdir(ROOT)
        work = plan(options)
        done = sitting(work, real, deadline=deadline)
    except ValueError as error:
        sys.exit(f"bench-distill: error: {error}")
    print(search_rows.end("distill", done, folder=work.folder, minutes=options.minutes))


def plan(options: argparse.Namespace) -> Plan:
    """Return what the command line asks for; raise ValueError if it mixes development and proof."""
    from cxr import params

    if not options.develop and (options.seeds or options.quick or options.recipe):
        raise ValueError(
            "the proof has its own seeds and recipe: --seeds, --quick and --recipe go with --develop"
        )
    seeds = [int(x) for x in options.seeds.split(",")] if options.seeds else [FIRST_OF_ALL]
    if options.develop and min(seeds) < FIRST_OF_ALL:
        raise ValueError(f"develop on seeds from {FIRST_OF_ALL} on, not on {min(seeds)}")
    changes = params.read_yaml(options.recipe) if options.recipe else {}
    found = Plan(
        seeds=seeds if options.develop else SEEDS,
        tree=recipes(quick=options.quick, changes=changes),
        quick=options.quick, part="val" if options.develop else "test", folder=REPORT,
    )  # fmt: skip
    if not options.develop:
        return found
    return dataclasses.replace(found, folder=TRIALS / found.recipe)


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.distill", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--seeds", help="comma-separated; for development from 100 on")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of a sitting, at most")
    parser.add_argument("--develop", action="store_true", help="judge on val, not on test")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it work?")
    parser.add_argument("--recipe", type=Path, help="YAML of changes to transfer, prune and finish")
    return parser.parse_args(words)


if __name__ == "__main__":
    main()
