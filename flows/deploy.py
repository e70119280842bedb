"""deploy: tell a running server its work pool, whom it tells of what, and the deployments of prefect.yaml.

`make serve` calls it when a server has begun; CXREPRO_NOTICES holds the addresses that notices go to,
a line each. What is there is brought up to date; what a person has switched off stays off
(flows/choices.py). Runs that workers of this checkout left behind are ended, so that their slots are
free; workers of other machines tell of theirs when they start (`--left-by <name>`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import json
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.cli import app
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectAlreadyExists
from prefect.states import Cancelled, Crashed, Scheduled, State
from prefect.types import SecretDict

from flows import alarms, choices, files, study, worker
from flows.serve import POOL

FILE = Path("prefect.yaml")
DEPLOYED = "deployments.yaml"
"""In the state folder: `FILE` with what people chose."""
_GONE = "The worker ended while this run was at work."
_WORKER = "prefect.worker.name"  # the label that a worker puts on a run before it begins it
_LONG = datetime.timedelta(minutes=10)  # no worker that lives takes so long to put it there
# What a run becomes whose worker is gone: one that had not begun is tried again.
_AFTERWARDS: dict[StateType, Callable[[], State[None]]] = {
    StateType.PENDING: lambda: Scheduled(message=_GONE),
    StateType.RUNNING: lambda: Crashed(message=_GONE),
    StateType.CANCELLING: lambda: Cancelled(message=_GONE),
}


async def prepare(addresses: Sequence[str], folder: Path) -> None:
    """Make the work pool and its queues, bring blocks and automations up to date; end what was left behind."""
    blocks = [await block(f"cxrepro-{n}", address) for n, address in enumerate(addresses)]
    async with get_client() as client:
        await make_pool(client)
        await automate(client, blocks)
        with worker.gone(folder) as (gone, at_work):
            there = {each.name for each in await client.read_workers_for_work_pool(POOL)}
            await end_left_behind(client, gone, alone=not at_work and there <= gone)


async def make_pool(client: PrefectClient) -> None:
    """Make the work pool and its queues; what is there stays as it is: a person may have paused it."""
    with contextlib.suppress(ObjectAlreadyExists):
        await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
    for queue in worker.QUEUES:
        with contextlib.suppress(ObjectAlreadyExists):
            await client.create_work_queue(queue, work_pool_name=POOL)


async def block(name: str, address: str) -> UUID:
    """Save a notification block that posts to an address; return its document."""
    # `text` is what Slack, Mattermost and Rocket.Chat read. The address is a secret: who knows it may post.
    found = CustomWebhookNotificationBlock(
        name=name,
        url="{{address}}",
        secrets=SecretDict({"address": address}),
        json_data={
            "text": "{{subject}}\n{{body}}",
            "subject": "{{subject}}",
            "body": "{{body}}",
        },
        headers=None,
        cookies=None,
    )
    return await found.asave(name, overwrite=True)


async def automate(client: PrefectClient, blocks: Sequence[UUID]) -> None:
    """Create our automations or bring them up to date; one that is switched off stays so."""
    for wanted in alarms.automations(blocks):
        there = await client.read_automations_by_name(wanted.name)
        if there:
            kept = wanted.model_copy(update={"enabled": there[0].enabled})
            await client.update_automation(there[0].id, kept)
        else:
            await client.create_automation(wanted)


async def end_left_behind(
    client: PrefectClient, gone: Collection[str] = (), *, alone: bool = True
) -> None:
    """End the runs of the work pool that no worker can be at work on.

    `gone` names workers that have ended; `alone` says that there are no others.
    """
    left = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(_AFTERWARDS)))
        ),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL])),
    )
    for run in left:
        if run.state is not None and _is_left(run, gone, alone=alone):
            await client.set_flow_run_state(run.id, _AFTERWARDS[run.state.type](), force=True)
            print(f"left behind: {run.name} was {run.state.name}", flush=True)


def _is_left(run: FlowRun, gone: Collection[str], *, alone: bool) -> bool:
    """Tell whether the worker that took a run is gone; one that died while it took it is not named."""
    if _WORKER in run.labels:
        return run.labels[_WORKER] in gone
    since = run.state.timestamp if run.state else None
    return alone or since is None or datetime.datetime.now(datetime.UTC) - since > _LONG


async def end_left_by(names: Collection[str]) -> None:
    """End the runs that workers of these names left behind; a worker may come before the first deployment."""
    async with get_client() as client:
        await make_pool(client)
        await end_left_behind(client, names, alone=False)


async def choose(client: PrefectClient, wanted: Mapping[str, Any], lacks: str) -> dict[str, Any]:
    """Return what `FILE` holds with what people chose; tell what starts paused for what it `lacks`."""
    there = {(each.entrypoint, each.name): each for each in await client.read_deployments()}
    found = []
    for each in wanted["deployments"]:
        known = there.get((each["entrypoint"], each["name"]))
        off = [x["name"] for x in each.get("triggers", []) if await _is_off(client, x["name"])]
        merged = choices.merged(each, known, switched_off=off, lacks=lacks)
        if merged.get("description", "").startswith(choices.WAITS):
            flow = each["entrypoint"].rpartition(".")[2]
            print(f"paused: {flow}/{each['name']}: {lacks}; then start again", flush=True)
        found.append(merged)
    return {**wanted, "deployments": found}


async def _is_off(client: PrefectClient, name: str) -> bool:
    """Tell whether an automation is there and switched off."""
    return any(not each.enabled for each in await client.read_automations_by_name(name))


async def written(addresses: Sequence[str], folder: Path) -> Path:
    """Prepare the server and write what it is to deploy into a folder; return the file."""
    await prepare(addresses, folder)
    wanted = study.parse(FILE.read_text(encoding="utf-8"), where=str(FILE))
    async with get_client() as client:
        chosen = await choose(client, wanted, choices.lacking())
    files.write(folder / DEPLOYED, json.dumps(chosen, indent=1))  # which YAML's readers take
    return folder / DEPLOYED


def main() -> None:
    """Prepare the server that PREFECT_API_URL names, then deploy as Prefect's own command does."""
    parser = argparse.ArgumentParser(prog="python -m flows.deploy")
    parser.add_argument(
        "--left-by", nargs="+", metavar="NAME", help="end these workers' runs, no more"
    )
    if names := parser.parse_args().left_by:
        asyncio.run(end_left_by(names))
        return
    addresses = os.environ["CXREPRO_NOTICES"].splitlines()
    path = asyncio.run(written(addresses, Path(os.environ["PREFECT_HOME"])))
    sys.argv[1:] = ["--no-prompt", "deploy", "--all", "--prefect-file", str(path)]
    app()


if __name__ == "__main__":
    main()
