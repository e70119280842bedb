"""reproduce: the pipeline as a Prefect flow, stage by stage in DVC's order, the metrics as an artifact.

DVC decides what has to run and keeps the results; Prefect gives each stage a task with its state,
its log and its duration. Nothing is cached by Prefect, and only a lock held by another DVC process
is worth a retry. `python -m flows.reproduce` starts a server for the run alone, on loopback.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
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
from prefect.states import State
from prefect.tasks import Task

from flows import pipeline

METRICS = Path("reports/compare/metrics.json")
# DVC's hints for people at a prompt: of no use in a log
_HINTS = (
    "To track the changes",
    "git add ",
    "To enable auto staging",
    "dvc config ",
    "Use `dvc push`",
)


def only_locks(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Allow a retry after a held lock, and after nothing else."""
    return isinstance(state.result(raise_on_failure=False), pipeline.Locked)


@task(
    cache_policy=NO_CACHE, retries=5, retry_delay_seconds=10, retry_condition_fn=only_locks,
    persist_result=False, task_run_name="{stage}",
)  # fmt: skip
def run_stage(stage: str) -> str:
    """Bring one stage up to date; return ran, restored or unchanged."""
    logger = get_run_logger()
    try:
        outcome = pipeline.run(stage, say=_log)
    except pipeline.Failed as error:
        logger.error("%s failed: %s", stage, error)
        raise
    logger.info("%s: %s", stage, outcome)
    return outcome


def _log(line: str) -> None:
    """Log a line of DVC or of the stage, without DVC's hints."""
    if line.strip() and not line.strip().startswith(_HINTS):
        get_run_logger().info(line)


def table(metrics: dict[str, Any]) -> str:
    """Return the metrics by model as a Markdown table."""
    rows = {
        model: dict(_flat(numbers))
        for model, numbers in metrics.items()
        if isinstance(numbers, dict)
    }
    columns = sorted({name for numbers in rows.values() for name in numbers})
    lines = ["| model | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for model, numbers in rows.items():
        lines.append(
            "| " + " | ".join([model, *(_cell(numbers.get(name)) for name in columns)]) + " |"
        )
    return "\n".join(lines)


def _flat(node: dict[str, Any], where: str = "") -> list[tuple[str, Any]]:
    """Return (name, value) of every single value: `auroc.value`, `auroc.low`."""
    found: list[tuple[str, Any]] = []
    for name, value in node.items():
        inner = f"{where}.{name}" if where else name
        found += _flat(value, inner) if isinstance(value, dict) else [(inner, value)]
    return found


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


@flow(name="reproduce", persist_result=False)
def reproduce() -> dict[str, str]:
    """Bring every stage up to date and publish the metrics; return {stage: outcome}."""
    logger = get_run_logger()
    current = pipeline.graph()
    for path in pipeline.forget_removed_runs(current=current):
        logger.info("removed %s: no stage writes it any more", path)
    outcomes = {stage.name: run_stage(stage.name) for stage in current}
    pipeline.canonical_lock(current=current)
    if METRICS.exists():
        metrics = json.loads(METRICS.read_text(encoding="utf-8"))
        create_markdown_artifact(key="metrics", markdown=table(metrics), description=str(METRICS))
    return outcomes


def main() -> None:
    """Run the flow with a server of its own and print what each stage did."""
    pipeline.terminate_as_interrupt()
    try:
        outcomes = reproduce()
    except (pipeline.Failed, pipeline.Locked) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted: what was finished is kept, run again to go on", file=sys.stderr)
        sys.exit(130)
    for stage, outcome in outcomes.items():
        print(f"{stage}: {outcome}")
    print(f"report: {pipeline.REPORT}")


if __name__ == "__main__":
    main()
