"""sweep: many combinations of parameters as one Prefect flow: side by side, resumable, one table at the end.

    python -m flows.sweep studies/phantom_small/sweep.yaml

flows/sweep_file.py says what the file may ask for. All combinations are checked before the first one
runs. Each runs at this checkout's commit (`--revision`: another) in a worktree of its own, with this
checkout's cache and one process per core; finished ones are commits on refs/sweeps/<sweep>/, so that the
same command goes on after whatever stopped it. The table and the figure go to reports/sweeps/<sweep>/.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from flows import tasks  # sets Prefect up, so it comes before Prefect

# isort: split
from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows import (
    checkouts,
    command,
    files,
    origin,
    pipeline,
    repository,
    sweep_file,
    sweep_kept,
    sweep_plan,
    sweep_run,
    sweep_table,
)
from flows.sweep_file import Combination
from flows.sweep_run import Hands
from flows.sweep_table import Line

REPORTS = Path("reports/sweeps")
_WORKERS = "CXR_WORKERS"


@tasks.patient("{combination} {stage}")
def run_stage(
    combination: str, stage: str, root: Path, python: Path, hear: Callable[[str], None]
) -> str:
    """Bring one stage of one combination up to date; return ran, restored or unchanged."""
    outcome = pipeline.run(stage, root=root, python=python, say=hear)
    get_run_logger().info("%s %s: %s", combination, stage, outcome)
    return outcome


@tasks.patient()
def check(
    pending: Sequence[Combination], commit: str, label: str, workers: int
) -> list[sweep_plan.Plan]:
    """Check every combination; a remote that does not give the raw data is worth a retry."""
    say = get_run_logger().info
    return sweep_plan.plan(pending, commit, label=label, workers=workers, say=say)


def title(file: str, **others: object) -> str:
    """Say what a run is about: the name of the sweep."""
    return sweep_file.name_of(Path(file))


@flow(name="sweep", persist_result=False, flow_run_name=tasks.titled(title))
def sweep(
    file: str,
    workers: Annotated[int, Field(ge=1)] | None = None,
    revision: str | None = None,
    anew: bool = False,
) -> str:
    """Run what is not finished of the sweep in a file; return the table as CSV.

    Raises ValueError before anything runs if something is wrong with any combination, Failed at the
    end if any failed.
    """
    logger = get_run_logger()
    hands = Hands(stage=run_stage, say=logger.info)
    lines, asked, name = work(
        Path(file), hands, check=check, workers=workers or cores(), revision=revision, anew=anew
    )
    table = sweep_table.markdown(lines, name=name, about=asked.about, by=asked.by)
    create_markdown_artifact(key="sweep", markdown=table, description=name)
    judge(lines, asked.by, REPORTS / name)
    return sweep_table.text(lines, asked.by)


def work(
    path: Path, hands: Hands, *, check: Callable[..., list[sweep_plan.Plan]], workers: int,
    revision: str | None = None, anew: bool = False,
) -> tuple[list[Line], sweep_file.Sweep, str]:  # fmt: skip
    """Run what is not finished, write table and figure; return the table's lines, the sweep and its name."""
    name, asked = sweep_file.name_of(path), sweep_file.read(path)
    chosen = sweep_file.combinations(asked)
    commit = repository.commit(revision or "HEAD")
    clone = origin.home(pipeline.HERE)
    changed = [path for path in repository.changed() if not path.startswith("reports/")]
    if changed:
        hands.say(f"not committed, so without effect: {', '.join(changed)}")
    with sweep_kept.alone(name, clone), one_process_each():
        kept = sweep_kept.finished(name, clone)
        if not anew:
            same_commit(name, commit, kept)
        pending = [one for one in chosen if kept.get(one.name, ("", ""))[1] != commit]
        hands.say(f"{len(chosen)} combinations, {len(chosen) - len(pending)} of them finished")
        checkouts.use_key(clone)
        plans = check(pending, commit, sweep_kept.label(name), workers)
        faults = sweep_run.run(plans, commit, name=name, workers=workers, hands=hands, root=clone)
        kept = sweep_kept.finished(name, clone)
    lines = sweep_table.ordered(list(_lines(chosen, kept, faults)), asked.by)
    write(lines, asked, name)
    return lines, asked, name


def same_commit(name: str, commit: str, kept: dict[str, tuple[str, str]]) -> None:
    """Raise ValueError if combinations were made at another commit than this run's."""
    others = sorted({base[:12] for _, base in kept.values()} - {commit[:12]})
    if others:
        raise ValueError(
            f"combinations of {name} were made at commit {', '.join(others)}, this run is at {commit[:12]}: "
            f"`--revision {others[0]}` goes on there, `--anew` makes them again here, `--revision` with "
            "`--anew` elsewhere"
        )


def _lines(
    chosen: Sequence[Combination], kept: dict[str, tuple[str, str]], faults: dict[str, str]
) -> Iterator[Line]:
    for one in chosen:
        if fault := faults.get(one.name):
            yield Line(combination=one, metrics={}, fault=fault)
            continue
        commit = kept[one.name][0]
        for model, metrics in sweep_kept.evaluations(commit, pipeline.HERE).items():
            yield Line(combination=one, model=model, metrics=metrics, commit=commit)


def write(lines: Sequence[Line], asked: sweep_file.Sweep, name: str) -> None:
    """Write the table, for programs and for people, and the figure."""
    folder = REPORTS / name
    folder.mkdir(parents=True, exist_ok=True)
    files.write(folder / "table.csv", sweep_table.text(lines, asked.by))
    markdown = sweep_table.markdown(lines, name=name, about=asked.about, by=asked.by)
    files.write(folder / "table.md", markdown)
    files.write(folder / "figure.svg", sweep_table.figure(lines, name=name, by=asked.by))


def judge(lines: Sequence[Line], by: str, folder: Path) -> None:
    """Raise Failed if a combination failed, ValueError if no model has the metric that orders the table."""
    failed = [line for line in lines if line.fault]
    if failed:
        raise pipeline.Failed(
            f"{len(failed)} combinations failed, first {failed[0].combination.name}: {failed[0].fault}; "
            f"{folder}/table.md has all of them, and the same command tries them again"
        )
    if not any(sweep_table.interval(line, by) for line in lines):
        known = ", ".join(sweep_table.metrics(lines, by)) or "none"
        raise ValueError(f"by: no model has an interval of {by!r}: known are {known}")


def cores() -> int:
    """Return how many stages may run at once: CXR_WORKERS, else the cores that we may use."""
    wanted = os.environ.get(_WORKERS)
    if wanted is None:
        return tasks.AT_ONCE
    if not wanted.isdigit() or int(wanted) == 0:
        raise ValueError(f"{_WORKERS} must be a whole number above 0, not {wanted!r}")
    return int(wanted)


@contextlib.contextmanager
def one_process_each() -> Iterator[None]:
    """Let each stage work in one process: the sweep keeps the cores busy."""
    before = os.environ.get(_WORKERS)
    os.environ[_WORKERS] = "1"
    try:
        yield
    finally:
        os.environ.pop(_WORKERS)
        if before is not None:
            os.environ[_WORKERS] = before


def main() -> None:
    """Run the flow and say where the table is."""
    parser = argparse.ArgumentParser(prog="python -m flows.sweep", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("file", help="the sweep: studies/<name>/sweep.yaml, or any other file")
    parser.add_argument("--workers", type=int, help="stages at once; all cores without it")
    parser.add_argument("--revision", help="the commit to run at; HEAD without it")
    parser.add_argument("--anew", action="store_true",
                        help="make again what was made at another commit")  # fmt: skip
    arguments: dict[str, Any] = vars(parser.parse_args())
    if arguments["workers"] is not None and arguments["workers"] < 1:
        parser.error("--workers must be at least 1")
    with command.telling(interrupted=command.GO_ON):
        sweep(**arguments)
    print(f"table and figure: {REPORTS / sweep_file.name_of(Path(arguments['file']))}")


if __name__ == "__main__":
    main()
