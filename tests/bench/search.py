"""Does evolution beat random search? Paired over seeds, on held-out images: `make bench-search`.

For each data set and seed both methods search the same space, see as many images and begin with the
same networks; rows of finished seeds stand in reports/bench/search/rows.csv and are never made again.
A sitting ends by itself; the next goes on where it ended, and evaluations on record are not repeated.
Test images are looked at once for each seed, when everything is chosen, and openings.csv says so.

Development: `python -m tests.bench.search --validation --seeds 100,101` judges on val, never looks at
test, and keeps its rows in reports/host/, which git ignores; `--recipe` tries other settings there.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cxr import numerics

if TYPE_CHECKING:
    from cxr.search.space import Space
    from stages.search import Params
    from tests.bench.search_rows import Rows

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "reports/bench/search"
TRIALS = ROOT / "reports/host/bench-search"
SCRATCH = ROOT / "data/.scratch"
SEEDS = {"pneumoniamnist": range(10), "nih14_lungmasked": range(5)}
MINUTES = 150.0
FIRST_OF_ALL = 100
"""Seeds for development begin here."""
_PROBED, _PROBE_SAMPLES, _RESERVE_S = 6, 512, 60.0


@dataclass(frozen=True)
class Plan:
    """What is to be done in a sitting."""

    data: dict[str, Sequence[int]]
    """seeds by data set"""
    settings: dict[str, Params]
    part: str
    """val or test: what judges"""
    folder: Path
    """for rows, summary and figure"""

    def recipe(self, name: str) -> str:
        """Return the hash of a data set's settings."""
        return hashlib.sha256(repr(self.settings[name]).encode()).hexdigest()[:12]

    def baselines(self, name: str, seed: int) -> bool:
        """Tell whether the baselines are trained with this seed: the first of each data set."""
        return seed == self.data[name][0]

    def left(self, rows: Rows) -> list[tuple[str, int]]:
        """Return data sets and seeds that are not done, the data sets in turn."""
        return rows.left(self.data)


def rate(space: Space, settings: Params, folder: Path) -> dict[str, float]:
    """Return images a second of one process: `searched`, the mean of some draws, and each baseline's."""
    import dataclasses

    from cxr import artifacts, manifest, prepared
    from cxr.evolution import novelty
    from cxr.search import fitness
    from cxr.search.settings import LARGEST
    from stages import search

    images = prepared.read(folder / "prepared")
    splits = artifacts.read_csv(folder / "splits.csv")
    task = search.tasks(settings, images.index, splits, prepared_folder=folder / "prepared", seed=0)[0]  # fmt: skip
    assert len(manifest.labels(images.index)) == space.labels
    # a small search_val: what is timed is training
    task = dataclasses.replace(task, search_rows=task.search_rows[:64])
    draws = filter(space.allowed, novelty.uniform(space.genes, 0, "bench"))
    networks = {"searched": [space.identity(next(draws)) for _ in range(_PROBED)]}
    for name in settings.baselines:
        networks[name] = [space.identity(space.largest(0, "bench")) if name == LARGEST else name]
    found = {}
    for name, some in networks.items():
        samples = _PROBE_SAMPLES if name == "searched" else _PROBE_SAMPLES // 4
        seconds = 0.0
        for network in some:
            given = fitness.given(task, network, samples=samples, draws="bench")
            if not seconds:
                fitness.evaluate(dataclasses.replace(given, samples=1))  # loads what is loaded late
            start = time.perf_counter()
            fitness.evaluate(given)
            seconds += time.perf_counter() - start
        found[name] = samples * len(some) / seconds
    return found


def forecast(plan: Plan, rows: Rows, folders: dict[str, Path]) -> dict[tuple[str, int], float]:
    """Say what is left to compute; return the guessed seconds of each data set and seed."""
    from cxr import workers
    from tests.bench import search_duel

    found: dict[tuple[str, int], float] = {}
    left = plan.left(rows)
    for name in dict.fromkeys(name for name, _ in left):
        seeds = [seed for other, seed in left if other == name]
        duel = search_duel.prepare(
            name, plan.settings[name], folders[name], SCRATCH, seed=seeds[0], part="val"
        )
        rates = rate(duel.space, plan.settings[name], folders[name])
        shown = search_duel.images(duel, plan.part)
        terms, baselines = plan.settings[name].terms(), plan.settings[name].baselines
        each = search_duel.each(plan.settings[name], plan.part)
        for seed in seeds:
            more = sum(each / rates[x] for x in baselines) if plan.baselines(name, seed) else 0.0
            found[name, seed] = (shown / rates["searched"] + more) / workers.count()
        networks = len(terms.methods) * terms.generations * terms.rungs[0].networks
        print(
            f"{name}: {len(seeds)} seed(s) of {networks} networks and {shown:,} images, "
            f"{rates['searched']:.0f} images/s a process; once {', '.join(baselines) or 'no baseline'}"
        )
    minutes = sum(found.values()) / 60
    print(f"left: {len(left)} searches of both methods, about {minutes:.0f} minutes with {workers.count()} processes", flush=True)  # fmt: skip
    return found


def sitting(plan: Plan, real: Path, *, deadline: float) -> bool:
    """Work seed by seed until all is done or the time is used up; tell whether all is done."""
    from tests.bench import search_data, search_duel, search_rows

    rows = search_rows.Rows(plan.folder)
    rows.check({name: plan.recipe(name) for name in plan.data})
    left = plan.left(rows)
    home = SCRATCH / "bench-search-data"
    first = dict(reversed(left))
    folders = {name: search_data.project(name, real, home, seed=first[name]) for name in first}
    guessed = forecast(plan, rows, folders)
    for name, seed in left:
        if time.monotonic() + 0.5 * guessed[name, seed] > deadline:
            return False  # its records would wait for the next sitting in any case
        folder = search_data.project(name, real, home, seed=seed)
        try:
            duel = search_duel.prepare(
                f"{name}, seed {seed}", plan.settings[name], folder, SCRATCH,
                seed=seed, part="val" if plan.part == "val" else "test", deadline=deadline,
            )  # fmt: skip
            openings: list[int] = []
            found = search_duel.run(
                duel,
                baselines=plan.baselines(name, seed),
                opened=lambda name=name, seed=seed, openings=openings: openings.append(  # type: ignore[misc]
                    rows.open(name, seed) if plan.part == "test" else 0
                ),
            )
        except search_duel.Over:
            return False
        about = {"data": name, "seed": seed, "part": plan.part, "recipe": plan.recipe(name)}
        rows.add([{**about, "openings": openings[-1], **row} for row in found])
        report(plan)
    return True


def report(plan: Plan) -> None:
    """Write summary and figure of all rows there are, and print the verdict."""
    from cxr import artifacts
    from tests.bench import search_rows, search_verdict

    rows = search_rows.Rows(plan.folder)
    table = rows.read()
    if not len(table):
        return
    summary = search_verdict.summarise(table)
    complete = not plan.left(rows)
    artifacts.write_json(plan.folder / "summary.json", {"complete": complete, "data": summary})
    artifacts.write_figure(plan.folder / "differences.png", search_verdict.figure(table), dpi=120)
    print("\n".join(search_verdict.lines(summary)), flush=True)


def main() -> None:
    """Read the command line, sit, report; exit 1 with one line for what can't be done."""
    numerics.enter()
    options = _options()
    deadline = time.monotonic() + 60 * options.minutes - _RESERVE_S
    try:
        from tests.bench import search_data, search_rows

        real = search_data.real("bench-search")
        plan = _plan(options)
        done = sitting(plan, real, deadline=deadline)
        report(plan)
    except ValueError as error:
        sys.exit(f"bench-search: error: {error}")
    print(search_rows.end("search", done, folder=plan.folder, minutes=options.minutes))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.search", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--data", choices=list(SEEDS), nargs="+", default=list(SEEDS))
    parser.add_argument("--seeds", help="comma-separated; for development from 100 on")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of a sitting, at most")
    parser.add_argument("--validation", action="store_true", help="judge on val, not on test")
    parser.add_argument(
        "--recipe", type=Path, help="YAML of changes by data set; --validation only"
    )
    parser.add_argument(
        "--name", default="default", help="of the trial's folder; --validation only"
    )
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    """Return what the command line asks for; raise ValueError if it mixes development and proof."""
    from tests.bench import search_data

    if not options.validation and (options.seeds or options.recipe or options.name != "default"):
        raise ValueError(
            "the proof has its own seeds and the studies' recipes: --seeds, --recipe and --name go "
            "with --validation"
        )
    chosen = [int(x) for x in options.seeds.split(",")] if options.seeds else [FIRST_OF_ALL]
    if options.validation and min(chosen) < FIRST_OF_ALL:
        raise ValueError(f"develop on seeds from {FIRST_OF_ALL} on, not on {min(chosen)}")
    os.chdir(ROOT)
    recipe = options.recipe.resolve() if options.recipe else None
    return Plan(
        data={name: chosen if options.validation else SEEDS[name] for name in options.data},
        settings={name: search_data.settings(name, recipe) for name in options.data},
        part="val" if options.validation else "test",
        folder=TRIALS / options.name if options.validation else REPORT,
    )


if __name__ == "__main__":
    main()
