"""reproduce: the pipeline as a Prefect flow, stages side by side where none waits for another.

DVC decides what has to run and keeps the results; Prefect gives each stage a task with its state,
its log and its duration. Nothing is cached by Prefect; only a lock held by another DVC process and a
remote that does not answer are worth a retry. Stages that need a failed one are not tried, the others
are. At the end DVC is asked: a plain `dvc repro` must have nothing to do.

A run that asks for a revision, a study or single parameters gets a worktree of its own, which stays
until housekeeping, so that its report can be read: nobody's checkout changes. `python -m
flows.reproduce` starts a server for the run alone, on loopback.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# Before prefect loads: it calls home unless told not to, and the run's own server, which answers
# anyone who asks by default, must be seen from this machine only and by this process only.
os.environ["DO_NOT_TRACK"] = "1"
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ.setdefault("PREFECT_SERVER_API_HOST", "127.0.0.1")
os.environ.setdefault("PREFECT_SERVER_CORS_ALLOWED_ORIGINS", "http://127.0.0.1")
if "PREFECT_API_URL" not in os.environ:
    os.environ["PREFECT_API_AUTH_STRING"] = f"cxrepro:{secrets.token_urlsafe(16)}"
    os.environ["PREFECT_SERVER_API_AUTH_STRING"] = os.environ["PREFECT_API_AUTH_STRING"]
# an ephemeral server starts in 7 to 14 s on two idle cores, and longer on busy ones
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.futures import PrefectFuture, as_completed
from prefect.states import State
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import Task

from flows import checkouts, command, pipeline, processes, repository, request, study, summaries
from flows.request import Wanted
from flows.summaries import Ended

METRICS = Path("reports/compare/metrics.json")
FINDINGS = Path("reports/validate/plots/findings.csv")
AT_ONCE = len(os.sched_getaffinity(0))
"""Stages side by side: one for each core that we may use."""
# DVC's hints for people at a prompt: of no use in a log
_HINTS = (
    "To track the changes",
    "git add ",
    "To enable auto staging",
    "dvc config ",
    "Use `dvc push`",
)


def worth_a_retry(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Allow a retry after a held lock or a silent remote, and after nothing else."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, pipeline.Locked | pipeline.Unreachable)


@task(
    cache_policy=NO_CACHE, retries=5, retry_delay_seconds=10, retry_condition_fn=worth_a_retry,
    persist_result=False, task_run_name="{stage}",
)  # fmt: skip
def run_stage(stage: str, root: Path, python: Path) -> tuple[str, float]:
    """Bring one stage up to date; return ran, restored or unchanged, and the seconds it took."""
    logger, start = get_run_logger(), time.monotonic()
    try:
        outcome = pipeline.run(stage, root=root, python=python, say=_log)
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


def side_by_side(
    current: Sequence[pipeline.Stage], root: Path, python: Path
) -> tuple[dict[str, tuple[str, float]], list[Exception]]:
    """Run the stages; return the outcome and seconds of each, and what went wrong."""
    running: dict[PrefectFuture[Any], str] = {}
    outcomes: dict[str, tuple[str, float]] = {}
    done: set[str] = set()
    errors = []
    while True:
        free = AT_ONCE - len(running)
        for stage in ready(current, {*outcomes, *running.values()}, done)[:free]:
            running[run_stage.submit(stage.name, root, python)] = stage.name
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


@flow(
    name="reproduce",
    persist_result=False,
    task_runner=ThreadPoolTaskRunner(max_workers=AT_ONCE),  # type: ignore[arg-type]
)
def reproduce(wanted: Wanted = Wanted()) -> tuple[dict[str, str], Path]:
    """Bring every stage up to date and publish what came of it; return outcomes by stage, and the report."""
    with processes.together():
        root, python = place(wanted)
        current = pipeline.graph(root)
        for path in pipeline.forget_removed_runs(root, current=current):
            get_run_logger().info("removed %s: no stage writes it any more", path)
        outcomes, errors = side_by_side(current, root, python)
        pipeline.canonical_lock(root, current=current)
        publish(current, outcomes, root, base=wanted.base)
        if errors:
            raise errors[0]
        prove(root)
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


def prove(root: Path) -> None:
    """Raise Failed unless a plain `dvc repro` has nothing to do."""
    if changed := pipeline.status(root):
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
