"""retrain: new data of an inbox become a new model, or a word why not, as a Prefect flow.

What arrived is checked and quarantined where it is faulty; else the study learns with it, and stage
`gate` holds the new model against the champion on the same frozen images. It is promoted (data, then
branch and tags at once) or rejected with reasons; either way reports/arrivals.csv on the remote's
branch has a line, and the same data never count twice. The work is that of flows/turns.py and
flows/trial.py; here it gets Prefect's tasks, logs, artifacts and events, and stages side by side.

    python -m flows.retrain --inbox /data/inbox --study hospital

needs no server; one that PREFECT_API_URL names hears of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flows import tasks  # sets Prefect up, so it comes before Prefect

# isort: split
from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows import command, inbox, ledger, pipeline, processes, reproduce, summaries, turns
from flows.trial import Hands, Wanted


@tasks.patient("{stage}")
def check_stage(stage: str, root: Path, python: Path, hear: Callable[[str], None]) -> str:
    """Bring one stage up to date that looks at new data; return ran, restored or unchanged."""
    outcome = pipeline.run(stage, root=root, python=python, say=hear)
    get_run_logger().info("%s: %s", stage, outcome)
    return outcome


@tasks.patient("{name}")
def ask_remote(
    name: str, function: Callable[..., Any], arguments: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    """Call a function that asks a remote; Prefect calls it again while nobody answers."""
    return function(*arguments, **named)


def title(wanted: Wanted) -> str:
    """Say what a run is about: `hospital from ../inbox`, with the manifest's first digits where one is asked for."""
    only = f", manifest {wanted.manifest[:8]}" if wanted.manifest else ""
    return f"{wanted.study} from {wanted.inbox}{only}"


@flow(
    name="retrain",
    persist_result=False,
    flow_run_name=tasks.titled(title),
    task_runner=tasks.RUNNER,
)
def retrain(wanted: Wanted) -> list[dict[str, str]]:
    """Decide upon the arrivals of an inbox; return the lines that the ledger got."""
    with processes.together():
        rows = turns.work(wanted, by_prefect())
    if rows:
        create_markdown_artifact(key="arrivals", markdown=summaries.findings(ledger.text(rows)))
    return [dict(row) for row in rows]


def by_prefect() -> Hands:
    """Return hands that work by tasks of the flow that runs now."""
    logger = get_run_logger()

    def stages(current: Sequence[pipeline.Stage], folder: Path, python: Path) -> None:
        known = reproduce.idle(current, pipeline.status(folder, current=current))
        outcomes, errors = reproduce.side_by_side(current, folder, python, known=known)
        reproduce.publish(current, outcomes, folder, base="HEAD")
        if errors:
            raise errors[0]

    def tell(event: str, facts: Mapping[str, str], tables: Mapping[str, str]) -> None:
        if "findings.csv" in tables:
            markdown = summaries.findings(tables["findings.csv"])
            create_markdown_artifact(
                key="findings", markdown=markdown, description=facts["arrival"]
            )
        tasks.tell(event, f"cxrepro.study.{facts['study']}", facts)

    return Hands(
        stage=check_stage,
        stages=stages,
        remote=lambda function, *arguments, **named: ask_remote(
            function.__name__, function, arguments, named
        ),
        say=lambda line: logger.info("%s", line) if line.strip() else None,
        tell=tell,
    )


def asked(arguments: Sequence[str] | None = None) -> Wanted:
    """Return what the command line asks for; end with a message for what can't be."""
    parser = argparse.ArgumentParser(prog="python -m flows.retrain", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--inbox", required=True, help="the folder where data arrive")
    parser.add_argument("--study", required=True, help="a folder of studies/ with gate.models")
    parser.add_argument("--dataset", default="table", help="the data set that grows")
    parser.add_argument("--branch", default="main", help="branch of the remote `origin`")
    parser.add_argument("--manifest", help="take only the arrival of this hash, at once")
    parser.add_argument("--settle-s", type=float, default=inbox.SETTLE_S,
                        help="seconds without a change until data are whole")  # fmt: skip
    try:
        return Wanted(**vars(parser.parse_args(arguments)))
    except ValueError as error:  # pydantic's
        parser.error(str(error))


def main() -> None:
    """Run the flow and print what became of each arrival."""
    wanted = asked()
    with command.telling(interrupted=command.GO_ON):
        rows = retrain(wanted)
    print(ledger.words(rows))


if __name__ == "__main__":
    main()
