"""deploy: tell a running server its work pool, whom it tells of what, and the deployments of prefect.yaml.

`make serve` calls it before a worker is there; CXREPRO_NOTICES holds the addresses that notices go to,
a line each. What is there is brought up to date; an automation that a person has switched off stays
off. Runs left behind by a server that is gone are ended, so that their slots are free.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
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
from prefect.client.schemas.objects import StateType
from prefect.states import Cancelled, Crashed, Scheduled, State
from prefect.types import SecretDict

from flows import alarms
from flows.serve import POOL

_GONE = "The server and its worker ended while this run was at work."
# What a run becomes whose worker is gone: one that had not begun is tried again.
_AFTERWARDS: dict[StateType, Callable[[], State[None]]] = {
    StateType.PENDING: lambda: Scheduled(message=_GONE),
    StateType.RUNNING: lambda: Crashed(message=_GONE),
    StateType.CANCELLING: lambda: Cancelled(message=_GONE),
}


async def prepare(addresses: Sequence[str]) -> None:
    """Bring work pool, notification blocks and automations up to date; end what was left behind."""
    blocks = [await block(f"cxrepro-{n}", address) for n, address in enumerate(addresses)]
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"), overwrite=True)
        await automate(client, blocks)
        await end_left_behind(client)


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


async def end_left_behind(client: PrefectClient) -> None:
    """End the runs of the work pool that no worker can be at work on; none has begun yet when we ask."""
    left = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(_AFTERWARDS)))
        ),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL])),
    )
    for run in left:
        if run.state is not None:
            await client.set_flow_run_state(run.id, _AFTERWARDS[run.state.type](), force=True)
            print(f"left behind: {run.name} was {run.state.name}", flush=True)


def main() -> None:
    """Prepare the server that PREFECT_API_URL names, then deploy as Prefect's own command does."""
    asyncio.run(prepare(os.environ["CXREPRO_NOTICES"].splitlines()))
    sys.argv[1:] = ["--no-prompt", "deploy", "--all"]
    app()


if __name__ == "__main__":
    main()
