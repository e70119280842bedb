"""reproduce: the pipeline as a Prefect flow, stages side by side where none waits for another.

DVC decides what has to run and keeps the results; Prefect gives each stage a task with its state,
its log and its duration. What DVC says at the start is up to date gets no process that looks again.
Stages that need a failed one are not tried, the others are. At the end DVC is asked: a plain `dvc
repro` must have nothing to do.

A run that asks for a revision, a study or single parameters gets a worktree of its own, which stays
until housekeeping, so that its report can be read: nobody's checkout changes. `python -m
flows.reproduce` starts a server for the run alone, on loopback.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import time
from collections.abc import Collection, Container, Iterator, Sequence
from pathlib import Path
from typing import Any

from flows import tasks  # sets Prefect up, so it comes before Prefect

# isort: split
from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.futures import PrefectFuture, as_completed

from flows import (
    checkouts,
    command,
    layout,
    pipeline,
    processes,
    repository,
    request,
    study,
    summaries,
)
from flows.request import Wanted
from flows.summaries import Ended

METRICS = Path("reports/compare/metrics.json")
FINDINGS = Path("reports/validate/plots/findings.csv")
# DVC's hints for people at a prompt: of no use in a log
_HINTS = (
    "To track the changes",
    "git add ",
    "To enable auto staging",
    "dvc config ",
    "Use `dvc push`",
)


@tasks.patient("{stage}")
def run_stage(stage: str, root: Path, python: Path, idle: bool = False) -> tuple[str, float]:
    """Bring one stage up to date; return ran, restored or unchanged, and the seconds it took.

    An `idle` one is known to be up to date.
    """
    logger, start = get_run_logger(), time.monotonic()
    try:
        outcome = "unchanged" if idle else pipeline.run(stage, root=root, python=python, say=_log)
    except (pipeline.Failed, pipeline.Locked) as error:
        logger.error("%s failed: %s", stage, error)
        raise
    seconds = time.monotonic() - start
    logger.info("%s: %s (%.1f s)", stage, outcome, seconds)
    return outcome, seconds


def _log(line: str) -> None:
    """Log a line of DVC or of the stage, without DVC's hints."""
    if line.strip() and not line.strip().startswith(_HINTS):
        get_run_logger().info(line)


def urgency(current: Sequence[pipeline.Stage]) -> dict[str, int]:
    """Return for each stage how many stages stand one behind another after it, at most."""
    found = {stage.name: 0 for stage in current}
    for stage in reversed(current):
        for other in stage.needs:
            found[other] = max(found[other], found[stage.name] + 1)
    return found


def ready(
    current: Sequence[pipeline.Stage], begun: set[str], done: set[str]
) -> list[pipeline.Stage]:
    """Return the stages that could begin, those with the longest way behind them first."""
    far = urgency(current)
    found = [stage for stage in current if stage.name not in begun and done.issuperset(stage.needs)]
    return sorted(found, key=lambda stage: -far[stage.name])


def idle(current: Sequence[pipeline.Stage], changed: Container[str]) -> set[str]:
    """Return the stages that have not `changed`, as DVC says, nor has any that they need."""
    found: set[str] = set()
    for stage in current:
        if stage.name not in changed and found.issuperset(stage.needs):
            found.add(stage.name)
    return found


def side_by_side(
    current: Sequence[pipeline.Stage], root: Path, python: Path, *, known: Collection[str] = ()
) -> tuple[dict[str, tuple[str, float]], list[Exception]]:
    """Run the stages; return the outcome and seconds of each, and what went wrong.

    Those `known` to be up to date get their task, but no process of DVC.
    """
    running: dict[PrefectFuture[Any], str] = {}
    outcomes: dict[str, tuple[str, float]] = {}
    done: set[str] = set()
    errors = []
    while True:
        free = tasks.AT_ONCE - len(running)
        for stage in ready(current, {*outcomes, *running.values()}, done)[:free]:
            task = run_stage.submit(stage.name, root, python, stage.name in known)
            running[task] = stage.name
        if not running:
            break
        future = next(iter(as_completed(list(running))))
        name = running.pop(future)
        found = future.result(raise_on_failure=False)
        if isinstance(found, Exception):
            errors.append(found)
            outcomes[name] = ("failed", 0.0)
        else:
            outcomes[name] = found
            done.add(name)
    return {stage.name: outcomes.get(stage.name, ("waiting", 0.0)) for stage in current}, errors


def title(wanted: Wanted) -> str:
    """Say what a run is about: `study phantom at v1.0.0, seed: 8`, or `this checkout`."""
    if not wanted.elsewhere():
        return "this checkout"
    study = [f"study {wanted.study}"] if wanted.study else []
    changed = [f"{key}: {layout.words(value)}" for key, value in wanted.overrides.items()]
    return ", ".join([" ".join([*study, f"at {wanted.revision or 'HEAD'}"]), *changed])


@flow(
    name="reproduce",
    persist_result=False,
    flow_run_name=tasks.titled(title),
    task_runner=tasks.RUNNER,
)
def reproduce(wanted: Wanted = Wanted()) -> tuple[dict[str, str], Path]:
    """Bring every stage up to date and publish what came of it; return outcomes by stage, and the report."""
    with processes.together():
        root, python = place(wanted)
        current = pipeline.graph(root)
        for path in pipeline.forget_removed_runs(root, current=current):
            get_run_logger().info("removed %s: no stage writes it any more", path)
        known = idle(current, pipeline.status(root, current=current))
        outcomes, errors = side_by_side(current, root, python, known=known)
        pipeline.canonical_lock(root, current=current)
        publish(current, outcomes, root, base=wanted.base)
        if errors:
            raise errors[0]
        prove(root, current)
    said = {name: outcome for name, (outcome, _) in outcomes.items()}
    return said, (root / pipeline.REPORT if wanted.elsewhere() else pipeline.REPORT)


def place(asked: Wanted) -> tuple[Path, Path]:
    """Return the checkout to run in and its Python; nothing has run when this raises ValueError."""
    if not asked.elsewhere():
        checkouts.preflight(pipeline.HERE, Path(sys.executable))
        return pipeline.HERE, Path(sys.executable)
    now = datetime.datetime.now(datetime.UTC)
    folder = checkouts.add(f"reproduce-{now:%Y%m%d-%H%M%S-%f}", asked.revision or "HEAD")
    try:
        checkouts.use_key()
        python = checkouts.interpreter(folder, root=pipeline.HERE)
        request.write(asked, folder, python)
        checkouts.preflight(folder, python)
    except BaseException:
        checkouts.remove(folder)
        raise
    get_run_logger().info("a checkout of its own: %s", folder)
    return folder, python


def prove(root: Path, current: Sequence[pipeline.Stage]) -> None:
    """Raise Failed unless a plain `dvc repro` has nothing to do."""
    if changed := pipeline.status(root, current=current):
        raise pipeline.Failed(
            f"DVC would still run {', '.join(changed)}: did something else change files meanwhile? "
            "Run again"
        )
    get_run_logger().info("proved: a plain `dvc repro` has nothing to do")


def publish(
    current: Sequence[pipeline.Stage],
    outcomes: dict[str, tuple[str, float]],
    root: Path,
    *,
    base: str,
) -> None:
    """Publish stages, metrics and findings as artifacts of the run."""
    lock = pipeline.read_lock(root)
    ended = [
        Ended(
            stage=stage.name,
            outcome=outcomes[stage.name][0],
            seconds=outcomes[stage.name][1],
            outputs={out["path"]: out["md5"] for out in lock.get(stage.name, {}).get("outs", [])},
        )
        for stage in current
    ]
    report = (root / pipeline.REPORT).resolve()
    create_markdown_artifact(
        key="stages", markdown=summaries.stages(ended), description=f"report: {report}"
    )
    if (root / METRICS).exists():
        found = json.loads((root / METRICS).read_text(encoding="utf-8"))
        table = summaries.metrics(found, _before(base, root))
        words = f"{METRICS}; in brackets the difference from {base}"
        create_markdown_artifact(key="metrics", markdown=table, description=words)
    if (root / FINDINGS).exists():
        text = (root / FINDINGS).read_text(encoding="utf-8")
        create_markdown_artifact(key="findings", markdown=summaries.findings(text))


def _before(base: str, root: Path) -> dict[str, Any] | None:
    """Return the metrics as a revision holds them; None where it has none."""
    try:
        found: dict[str, Any] = json.loads(
            repository.git("show", f"{base}:{METRICS.as_posix()}", root=root)
        )
    except ValueError:
        return None
    return found


def asked(arguments: Sequence[str] | None = None) -> Wanted:
    """Return what the command line asks for; end with a message for what can't be."""
    parser = argparse.ArgumentParser(prog="python -m flows.reproduce", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--revision", help="commit, branch or tag; HEAD without it")
    parser.add_argument("--study", help="a folder of studies/")
    parser.add_argument("--base", default="HEAD", help="what the metrics are compared with")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one parameter, in YAML"
    )
    found = vars(parser.parse_args(arguments))
    pairs = dict(_pairs(parser, found.pop("set")))
    try:
        return Wanted(**found, overrides=pairs)
    except ValueError as error:  # pydantic's
        parser.error(str(error))


def _pairs(parser: argparse.ArgumentParser, words: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for word in words:
        key, sign, value = word.partition("=")
        if not sign:
            parser.error(f"--set {word}: must be KEY=VALUE")
        yield key, study.parse(f"value: {value}", where=f"--set {key}")["value"]


def main() -> None:
    """Run the flow with a server of its own and print what each stage did."""
    wanted = asked()
    with command.telling(interrupted=command.GO_ON):
        outcomes, report = reproduce(wanted)
    for stage, outcome in outcomes.items():
        print(f"{stage}: {outcome}")
    print(f"report: {report}")


if __name__ == "__main__":
    main()
