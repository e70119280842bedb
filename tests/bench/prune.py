"""Evolved cuts beside seven simpler ones, at equal MACs, on held-out images: `make bench-prune`.

For each data set and seed: mobilenetv2_035, fine-tuned from its ImageNet weights, is pruned to 50 % and to
30 % of its MACs by the stages themselves (transfer, prune, finish, in a folder of their own), once by
every method, and everything is fine-tuned alike. The seed decides the division (where it is not official),
trainings and searches. All networks of a seed are judged on test in one go, when all are trained: what is
handed over was chosen on search_val. Rows of finished seeds stand in reports/bench/prune/rows.csv and are
never made again; openings.csv says how often test was looked at. A sitting ends by itself; the next goes on
where it ended.

Development: `python -m tests.bench.prune --develop --seeds 100,101` judges on val, never looks at test, and
keeps its rows in reports/host/, which git ignores; `--recipe` tries other settings there, `--quick` tiny sizes.
`--validity`: does the fitness rank what fine-tuning will make of a cut? On val alone, see prune_validity.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxr import numerics

if TYPE_CHECKING:
    from tests.bench.prune_data import Size
    from tests.bench.prune_judging import Part
    from tests.bench.prune_rows import Rows

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "reports/bench/prune"
TRIALS = ROOT / "reports/host/bench-prune"
SCRATCH = ROOT / "data/.scratch"
SEEDS = {"darkcovidnet": range(3), "nih14_lungmasked": range(3)}
VALIDITY = "validity"
FIRST_OF_ALL = 100
"""Seeds for development begin here."""
MINUTES = 150.0
NETWORKS = 40
"""Random networks whose ranking is looked at."""
QUICK: dict[str, Any] = {
    "transfer": {"epochs": 1},
    "prune": {
        "population": 4, "generations": 2, "recalibration_images": 16,
        "contest": {"evolved": 1, "samples": 16},
    },
    "finish": {"epochs": 1},
}  # fmt: skip
QUICK_IMAGES, QUICK_FOLDS, QUICK_NETWORKS = 40, 2, 5
_RESERVE_S, _JUDGING_S = 60.0, 180.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done in a sitting."""

    seeds: dict[str, Sequence[int]]
    """by data set"""
    every: dict[str, Sequence[int]]
    """what the verdict is complete with: of the proof all data sets, whichever this sitting works on"""
    recipes: dict[str, dict[str, Any]]
    """transfer, prune and finish by data set"""
    size: Size
    part: Part
    """what judges"""
    networks: int
    """of --validity"""
    folder: Path
    """for rows, verdict, table and figures"""

    def recipe(self, name: str) -> str:
        """Return the hash of the settings that a data set's rows depend on, its division's among them."""
        from tests.bench import prune_data, search_data

        data = search_data.DATA[prune_data.case(name).data]
        about = repr((self.recipes[name], self.size, data))
        return hashlib.sha256(about.encode()).hexdigest()[:12]


def steps(plan: Plan, name: str) -> Iterator[tuple[list[str], str]]:
    """Yield the programs of a seed, and what each of them writes last."""
    from tests.bench import prune_tuning, prune_validity
    from tests.bench.prune_data import RUN

    yield ["stages.transfer", RUN], f"data/models/{RUN}/config.json"
    if name != VALIDITY:
        yield ["stages.prune", RUN], f"data/pruned/{RUN}/cuts.json"
        yield ["tests.bench.prune_tuning"], prune_tuning.MADE
        return
    for share in plan.recipes[name]["prune"]["shares"]:
        percent = round(100 * share)
        words = ["tests.bench.prune_validity", str(percent), str(plan.networks)]
        yield words, prune_validity.made(percent, plan.networks)


def project(plan: Plan, name: str, seed: int, real: Path) -> Path:
    """Return the project folder of a data set and seed, laid out."""
    from tests.bench import prune_data, search_data

    data = prune_data.case(name).data
    folder = search_data.project(data, real, SCRATCH / "bench-search-data", seed=seed)
    return prune_data.lay(folder, plan.recipes[name], real, SCRATCH, seed=seed, size=plan.size)


def forecast(plan: Plan, left: Sequence[tuple[str, int]], real: Path) -> None:
    """Measure a first step of each kind and say what is left to compute."""
    from cxr import workers
    from tests.bench import prune_forecast

    minutes = 0.0
    for name in dict.fromkeys(name for name, _ in left):
        seeds = [seed for other, seed in left if other == name]
        pace = prune_forecast.measure(project(plan, name, seeds[0], real))
        if name == VALIDITY:
            shares = len(plan.recipes[name]["prune"]["shares"])
            pace = prune_forecast.of_validity(pace, networks=shares * plan.networks)
        minutes += len(seeds) * pace.seconds / 60
        print(f"{name}: {len(seeds)} seed(s), each at most {pace.line()}")
    print(f"left: about {minutes:.0f} minutes with {workers.count()} processes, less what is on record", flush=True)  # fmt: skip


def sitting(plan: Plan, real: Path, *, deadline: float) -> bool:
    """Work seed by seed until all is done or the time is used up; tell whether all is done."""
    from tests.bench import prune_data, prune_judging, prune_rows, prune_steps

    rows = prune_rows.Rows(plan.folder)
    rows.check({name: plan.recipe(name) for name in plan.seeds})
    left = rows.left(plan.seeds)
    if not left:
        report(plan, rows)  # its words may be newer than the rows
        return True
    forecast(plan, left, real)
    for name, seed in left:
        code = prune_data.code()
        folder = project(plan, name, seed, real)
        try:
            for words, made in steps(plan, name):
                print(f"{name}, seed {seed}: {' '.join(words)}", flush=True)
                prune_steps.run(folder, words, made, deadline=deadline - _JUDGING_S)
        except prune_steps.Over:
            return False
        finally:
            prune_data.same(code, folder)
        openings = rows.open(name, seed) if plan.part == "test" else 0
        found, resamples = prune_judging.judge(prune_judging.Bench(folder, plan.part, name))
        about = {
            "data": name, "seed": seed, "part": plan.part, "openings": openings,
            "recipe": plan.recipe(name), "code": code,
        }  # fmt: skip
        rows.keep([{**about, **row} for row in found], resamples)
        shares = plan.recipes[name]["prune"]["shares"]
        for method in prune_judging.missing(found, shares):
            print(f"{name}, seed {seed}: no cut by {method}: it is not compared")
        report(plan, rows)
    return True


def report(plan: Plan, rows: Rows) -> None:
    """Write verdict, table and figure of all rows there are, and print the verdict."""
    from cxr import artifacts
    from tests.bench import prune_figures, prune_verdict

    table, resamples = rows.read(), rows.resamples()
    if not len(table):
        return
    summary = prune_verdict.summarise(table, resamples)
    complete = not rows.left(plan.every)
    artifacts.write_json(plan.folder / "verdict.json", {"complete": complete, "data": summary})
    artifacts.write_csv(plan.folder / "table.csv", prune_verdict.table(summary))
    figure = prune_figures.verdict(table, resamples)
    artifacts.write_figure(plan.folder / "verdict.png", figure, dpi=110)
    print("\n".join(prune_verdict.lines(summary)), flush=True)


def look_at_validity(plan: Plan, real: Path, *, deadline: float) -> bool:
    """Make the shares' rows one after the other and report after each; tell whether all are there."""
    import pandas as pd

    from cxr import artifacts
    from tests.bench import prune_data, prune_figures, prune_steps, prune_validity

    (seed,), code = plan.seeds[VALIDITY], prune_data.code()
    forecast(plan, [(VALIDITY, seed)], real)
    folder, tables = project(plan, VALIDITY, seed, real), []
    for words, made in steps(plan, VALIDITY):
        try:
            prune_steps.run(folder, words, made, deadline=deadline)
        except prune_steps.Over:
            return False
        finally:
            prune_data.same(code, folder)
        if not made.endswith(".csv"):
            continue
        tables.append(artifacts.read_csv(folder / made))
        table = pd.concat(tables, ignore_index=True)
        summary = prune_validity.summarise(table)
        fitness = plan.recipes[VALIDITY]["prune"]["fitness"]
        about = {"seed": seed, "recipe": plan.recipe(VALIDITY), "code": code, "fitness": fitness, "shares": summary}  # fmt: skip
        artifacts.write_csv(plan.folder / "validity.csv", table)
        artifacts.write_json(plan.folder / "validity.json", about)
        figure = prune_figures.validity(table, summary, prune_validity.MEASURES)
        artifacts.write_figure(plan.folder / "validity.png", figure, dpi=110)
        print("\n".join(prune_validity.lines(summary, fitness=fitness)), flush=True)
    return True


def main() -> None:
    """Read the command line, sit, report; exit 1 with one line for what can't be done."""
    numerics.enter()
    options = _options()
    deadline = time.monotonic() + 60 * options.minutes - _RESERVE_S
    try:
        from tests.bench import search_data, search_rows

        real = search_data.real("bench-prune")
        os.chdir(ROOT)
        plan = _plan(options)
        work = look_at_validity if options.validity else sitting
        done = work(plan, real, deadline=deadline)
    except ValueError as error:
        sys.exit(f"bench-prune: error: {error}")
    print(search_rows.end("prune", done, folder=plan.folder, minutes=options.minutes))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.prune", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--data", choices=list(SEEDS), nargs="+", default=list(SEEDS))
    parser.add_argument("--seeds", help="comma-separated; for development from 100 on")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of a sitting, at most")
    parser.add_argument("--develop", action="store_true", help="judge on val, not on test")
    parser.add_argument("--validity", action="store_true", help="how the fitness ranks, on val")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it work? With --develop or --validity")  # fmt: skip
    parser.add_argument("--recipe", type=Path, help="YAML of changes by data set; --develop only")
    parser.add_argument("--name", default="default", help="of the trial's folder; --develop only")
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    """Return what the command line asks for; raise ValueError if it mixes development and proof."""
    from cxr import params
    from tests.bench import prune_data
    from tests.bench.search_data import merged

    trial = options.develop or options.validity
    if not trial and (
        options.seeds or options.quick or options.recipe or options.name != "default"
    ):
        raise ValueError(
            "the proof has its own seeds and recipes: --seeds, --quick, --recipe and --name go with "
            "--develop"
        )
    chosen = [int(x) for x in options.seeds.split(",")] if options.seeds else [FIRST_OF_ALL]
    if trial and min(chosen) < FIRST_OF_ALL:
        raise ValueError(f"develop on seeds from {FIRST_OF_ALL} on, not on {min(chosen)}")
    if options.validity and len(chosen) > 1:
        raise ValueError(f"--validity looks at networks of one seed, not of {options.seeds}")
    names = [VALIDITY] if options.validity else options.data
    changes = params.read_yaml(options.recipe) if options.recipe else {}
    if strange := sorted(set(changes) - set(names)):
        raise ValueError(f"{options.recipe}: {strange[0]!r} is none of {', '.join(names)}")
    recipes = {}
    for name in names:
        own = merged(QUICK if options.quick else {}, changes.get(name, {}))
        recipes[name] = prune_data.recipes(prune_data.case(name), own)
    quick = prune_data.Size(images=QUICK_IMAGES, folds=QUICK_FOLDS)
    seeds: dict[str, Sequence[int]] = {name: chosen if trial else SEEDS[name] for name in names}
    return Plan(
        seeds=seeds,
        every=seeds if trial else dict(SEEDS),
        recipes=recipes,
        size=quick if options.quick else prune_data.Size(),
        part="val" if trial else "test",
        networks=QUICK_NETWORKS if options.quick else NETWORKS,
        folder=_folder(options),
    )  # fmt: skip


def _folder(options: argparse.Namespace) -> Path:
    """Return where the report goes: of a trial and of tiny sizes to where git does not look."""
    if options.quick:
        return TRIALS.with_name("bench-prune-quick") / options.name
    plain = options.name == "default" and not options.recipe
    return REPORT if not options.develop and plain else TRIALS / options.name


if __name__ == "__main__":
    # so that a step is ended with its sitting
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit("bench-prune: ended; start it again to go on")
    )
    main()
