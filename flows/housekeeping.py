"""housekeeping: what old and dead runs leave on the disk and on the server goes, as a Prefect flow.

Worktrees, clones and work in progress that nobody touched for some days and no living process uses
(flows/leftovers.py); then what nothing names in DVC's cache, while no run holds DVC's lock
(flows/cache.py); then finished runs that the server remembers, with their logs and artifacts. What
any branch, tag or record names stays, and remotes are never touched. `--dry-run` only says what would
go. What fails does not keep the rest from its turn.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from flows import tasks  # sets Prefect up, so it comes before Prefect

# isort: split
from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun
from prefect.exceptions import ObjectNotFound

from flows import cache, command, files, leftovers, pipeline, summaries

KEEP_DAYS = 14
_PAGE = 200  # as many as a server gives at once
COLUMNS = ("what", "which", "freed_mb", "note")
Row = dict[str, str]


def title(keep_days: int, dry_run: bool) -> str:
    """Say what a run is about."""
    return f"older than {keep_days} days{', dry run' if dry_run else ''}"


@flow(name="housekeeping", persist_result=False, flow_run_name=tasks.titled(title))
def housekeeping(
    keep_days: Annotated[int, Field(ge=1)] = KEEP_DAYS, dry_run: bool = False
) -> list[Row]:
    """Remove what is older than `keep_days` days and of no use; return a line for each thing."""
    now = datetime.datetime.now(datetime.UTC)
    before = now - datetime.timedelta(days=keep_days)
    rows: list[Row] = []
    errors: list[Exception] = []
    for part in (old_leftovers, unnamed_data, old_runs):
        found = step(part, before, dry_run, return_state=True).result(raise_on_failure=False)
        if isinstance(found, pipeline.Locked):
            rows.append(_row("cache", "everything", 0, f"stays: {found}"))
        elif isinstance(found, Exception):
            errors.append(found)
        else:
            rows += found
    for row in rows:
        get_run_logger().info("%s", words(row))
    description = f"{'would free' if dry_run else 'freed'} {total(rows):.1f} MB"
    create_markdown_artifact(key="housekeeping", markdown=table(rows), description=description)
    if errors:
        raise errors[0]
    return rows


@tasks.patient("{part.__name__}")
def step(
    part: Callable[[datetime.datetime, bool], list[Row]], before: datetime.datetime, dry: bool
) -> list[Row]:
    """Do a part of the work; a lock that is held is worth a retry."""
    return part(before, dry)


def old_leftovers(before: datetime.datetime, dry: bool, *, root: Path = pipeline.HERE) -> list[Row]:
    """Remove what dead runs left in folders."""
    found = leftovers.sweep(before.timestamp(), dry=dry, root=root)
    return [
        _row(
            left.kind, str(left.path), 0 if left.why_not else left.size,
            f"stays: {left.why_not}" if left.why_not else "",
        )
        for left in found
    ]  # fmt: skip


def unnamed_data(before: datetime.datetime, dry: bool, *, root: Path = pipeline.HERE) -> list[Row]:
    """Remove from DVC's cache what nothing names; raise pipeline.Locked beside a run."""
    found = cache.collect(root, before=before.timestamp(), dry=dry)
    return [_row("cache", f"{found.objects} objects that nothing names", found.size)]


def old_runs(before: datetime.datetime, dry: bool) -> list[Row]:
    """Let the server forget the runs that ended before, with what they published."""
    with get_client(sync_client=True) as client:
        count = 0
        while runs := _ended(client, before, offset=count if dry else 0):
            count += len(runs)
            for run in [] if dry else runs:
                _forget(client, run)
    return [_row("server", f"{count} finished runs", None)]


def _ended(client: SyncPrefectClient, before: datetime.datetime, *, offset: int) -> list[FlowRun]:
    """Return a page of the runs that ended before."""
    state = FlowRunFilterStateType(any_=sorted(TERMINAL_STATES, key=str))
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=state),
            end_time=FlowRunFilterEndTime.model_validate({"before_": before}),
        ),
        limit=_PAGE,
        offset=offset,
    )


def _forget(client: SyncPrefectClient, run: FlowRun) -> None:
    """Delete a run, its artifacts first: without it nobody would find them. Its logs go with it."""
    only = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
    for artifact in client.read_artifacts(flow_run_filter=only):
        with contextlib.suppress(ObjectNotFound):
            client.delete_artifact(artifact.id)
    with contextlib.suppress(ObjectNotFound):
        client.delete_flow_run(run.id)


def _row(what: str, which: str, size: int | None, note: str = "") -> Row:
    freed = "" if size is None else f"{size / 1e6:.1f}"
    return {"what": what, "which": which, "freed_mb": freed, "note": note}


def total(rows: Sequence[Row]) -> float:
    """Return how many MB were freed, as far as it is known."""
    return sum(float(row["freed_mb"] or 0) for row in rows)


def words(row: Row) -> str:
    """Say a line."""
    freed = f" ({row['freed_mb']} MB)" if row["freed_mb"] else ""
    note = f", {row['note']}" if row["note"] else ""
    return f"{row['what']}: {row['which']}{freed}{note}"


def table(rows: Sequence[Row]) -> str:
    """Return the lines as Markdown."""
    return summaries.findings(files.table(COLUMNS, rows))


def main() -> None:
    """Run the flow and print what went."""
    parser = argparse.ArgumentParser(prog="python -m flows.housekeeping", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--keep-days", type=int, default=KEEP_DAYS, help="what is younger stays")
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")
    arguments: dict[str, Any] = vars(parser.parse_args())
    with command.telling(interrupted=command.GO_ON):
        rows = housekeeping(**arguments)
    for row in rows:
        print(words(row))
    print(f"{'would free' if arguments['dry_run'] else 'freed'} {total(rows):.1f} MB")


if __name__ == "__main__":
    main()
