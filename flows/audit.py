"""audit: committed results, taken at random, are made again as `make verify` does; an alarm if they differ.

Drawn is among the commit's default study, each study's record and each registered version of a model;
what was longest not audited comes up soonest. The draw is a function of the seed, by default the date,
and of reports/host/audits.csv, which says what was audited here before. Each is run from nothing in a
clean clone and compared byte by byte. Results whose raw data are neither here nor on the DVC remote
are passed over by name. An alarm fails the flow and says stage, file and likely cause.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import datetime
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from flows import tasks  # sets Prefect up, so it comes before Prefect

# isort: split
from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows import (
    causes,
    checkouts,
    command,
    differences,
    draw,
    files,
    pipeline,
    processes,
    reproduce,
    summaries,
    verdict,
    verify,
)
from flows.causes import Cause
from flows.differences import Difference
from flows.draw import Combination

EVENT = "cxrepro.audit.failed"
PAST = Path("reports/host/audits.csv")
COLUMNS = (
    *("date_utc", "combination", "commit", "outcome", "seconds"),
    *("line", "cause", "not_looked_at"),
)
Run = Callable[
    [Sequence[pipeline.Stage], Path, Path], tuple[dict[str, tuple[str, float]], list[Exception]]
]
"""Runs stages in a checkout with a Python: returns outcome and seconds of each, and what went wrong."""


class Alarm(ValueError):
    """Results that were committed did not come again."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of an audit."""

    name: str
    commit: str
    outcome: str
    """identical, differs, failed, or passed over"""
    seconds: float
    difference: Difference | None = None
    """the first one, or the stage that failed; why it was passed over"""
    cause: Cause | None = None
    clone: str = ""
    """where it can be looked at"""


def examine(
    one: Combination, *, run: Run, root: Path = pipeline.HERE, say: Callable[[str], None] = print
) -> Result:
    """Make a combination's outputs anew and compare them; the clone stays if they differ."""
    start, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="cxrepro-audit-"))
    clone, cause, outcome = folder / "clone", None, "identical"
    try:
        with _notes_in(folder / "site"):
            wanted = verify.claim(revision=one.revision, name=one.study, root=root)
            difference, cause = _compared(clone, wanted, one, run, root, say)
    except verify.MissingData as error:
        outcome, difference = "passed over", _nothing_ran(error)
    except (pipeline.Failed, ValueError) as error:  # no claim, no graph, or the preflight failed
        outcome, difference = "failed", _nothing_ran(error)
        cause = Cause(
            kind="environment" if clone.exists() else "record",
            words="it could not even be started",
            unseen=("everything (no stage ran)",),
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    else:
        outcome = "differs" if difference else outcome
    if outcome in ("identical", "passed over"):
        shutil.rmtree(folder)
    return Result(
        name=one.name, commit=one.revision, outcome=outcome, seconds=time.monotonic() - start,
        difference=difference, cause=cause, clone=str(clone) if clone.exists() else "",
    )  # fmt: skip


def _nothing_ran(error: Exception) -> Difference:
    return Difference(stage="", file="", line=" ".join(str(error).split()))


def _compared(
    clone: Path,
    wanted: verify.Claim,
    one: Combination,
    run: Run,
    root: Path,
    say: Callable[[str], None],
) -> tuple[Difference | None, Cause | None]:
    """Return the first difference between what a clean clone makes and the claim, and its likely cause."""
    checkouts.use_key(root)
    verify.prepare(clone, wanted, root=root)
    python = checkouts.interpreter(clone, root=root)
    checkouts.preflight(clone, python)
    pipeline.forget_removed_runs(clone)
    # no entry, no cache, no memory of runs: every stage has to run, its committed reports or not
    (clone / pipeline.LOCK_FILE).unlink()
    outcomes, errors = run(pipeline.graph(clone), clone, python)
    found = differences.found(clone, lock=wanted.lock, reports=wanted.reports, root=root)
    failed = [stage for stage, (outcome, _) in outcomes.items() if outcome == "failed"]
    if failed and not found:
        words = " ".join(str(errors[0]).split())
        found = [Difference(stage=failed[0], file="", line=f"{failed[0]} failed: {words}")]
    elif not failed and (idle := [x for x, (outcome, _) in outcomes.items() if outcome != "ran"]):
        raise pipeline.Failed(f"{', '.join(idle)} did not run: nothing is proved")
    if not found:
        return None, None
    case = causes.Case(
        clone=clone, python=python, lock=wanted.lock, difference=found[0], say=say,
        failed=found[0].stage in failed, processor=verdict.processor(one.revision, one.study, root=root),
    )  # fmt: skip
    return found[0], causes.likely(case)


@contextlib.contextmanager
def _notes_in(folder: Path) -> Iterator[None]:
    """Let DVC keep its notes on files in a folder, so that nothing stays behind elsewhere."""
    name = "DVC_SITE_CACHE_DIR"
    before = os.environ.get(name)
    os.environ[name] = str(folder)
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


def title(count: int, seed: str | None, revision: str) -> str:
    """Say what a run is about."""
    return f"{count} of {revision}{f', seed {seed}' if seed else ''}"


@flow(
    name="audit", persist_result=False, flow_run_name=tasks.titled(title), task_runner=tasks.RUNNER
)
def audit(
    count: Annotated[int, Field(ge=1, le=100)] = 1, seed: str | None = None, revision: str = "HEAD"
) -> list[dict[str, str]]:
    """Audit `count` combinations; return a line for each, raise Alarm if one did not come again."""
    logger = get_run_logger()
    known = {one.name: one for one in draw.combinations(revision)}
    seed = seed or f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    chances = draw.weights(list(known), audited(PAST))
    order = draw.order(chances, seed)
    logger.info("seed %s; weights: %s", seed, ", ".join(f"{x} {chances[x]}" for x in order))
    results: list[Result] = []
    with processes.together():
        for name in order:
            if sum(result.outcome != "passed over" for result in results) == count:
                break
            logger.info("auditing %s (commit %s)", name, known[name].revision[:12])
            result = examine(known[name], run=reproduce.side_by_side, say=logger.info)
            results.append(result)
            note(PAST, result)
            logger.info(
                "%s: %s%s", name, result.outcome, f" ({said(result)})" if said(result) else ""
            )
    rows = [row(result) for result in results]
    create_markdown_artifact(key="audit", markdown=summaries.findings(text(rows)), description=seed)
    alarm(results)
    return rows


def alarm(results: Sequence[Result]) -> None:
    """Tell the server of each result that did not come again, and raise Alarm if there is one."""
    lines = []
    for result in results:
        if result.difference is None or result.cause is None:
            continue
        difference, cause = result.difference, result.cause
        facts = {
            "combination": result.name, "commit": result.commit, "stage": difference.stage,
            "file": difference.file, "what": difference.line, "likely cause": f"{cause.kind}: {cause.words}",
            "not looked at": "; ".join(cause.unseen) or "nothing", "clone": result.clone,
        }  # fmt: skip
        lines += [f"{key}: {value}" for key, value in facts.items()]
        try:
            tasks.tell(EVENT, f"cxrepro.audit.{result.name}", facts)
        except pipeline.Unreachable as error:
            lines.append(str(error))
    if lines:
        raise Alarm("\n".join(lines))
    if all(result.outcome == "passed over" for result in results):
        raise ValueError("nothing was audited: no combination has its raw data at hand")


def said(result: Result) -> str:
    """Say what differs, or why a combination was passed over; nothing for one that is identical."""
    return result.difference.line if result.difference else ""


def row(result: Result) -> dict[str, str]:
    """Return a result as a line of the table."""
    cause = result.cause
    now = datetime.datetime.now(datetime.UTC)
    return {
        "date_utc": f"{now:%Y-%m-%dT%H:%M:%SZ}", "combination": result.name, "commit": result.commit,
        "outcome": result.outcome, "seconds": f"{result.seconds:.0f}", "line": said(result),
        "cause": f"{cause.kind}: {cause.words}" if cause else "",
        "not_looked_at": "; ".join(cause.unseen) if cause else "",
    }  # fmt: skip


def text(rows: Sequence[Mapping[str, str]]) -> str:
    """Return lines as CSV."""
    return files.table(COLUMNS, rows)


def audited(path: Path) -> list[str]:
    """Return the names of what was audited here, the newest last; none without the file."""
    return [line["combination"] for line in _lines(path) if line["outcome"] != "passed over"]


def note(path: Path, result: Result) -> None:
    """Add a result to the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, text([*_lines(path), row(result)]))


def _lines(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Run the flow and print what came of each combination."""
    parser = argparse.ArgumentParser(prog="python -m flows.audit", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--count", type=int, default=1, help="how many to audit")
    parser.add_argument("--seed", help="what decides the draw; the date without it")
    parser.add_argument("--revision", default="HEAD", help="whose study and records")
    arguments = parser.parse_args()
    with command.telling(interrupted=command.NOTHING_HALF):
        for line in audit(**vars(arguments)):
            print(
                f"{line['combination']}: {line['outcome']} ({line['seconds']} s) {line['line']}".rstrip()
            )


if __name__ == "__main__":
    main()
