"""choices: prefect.yaml as it is to be deployed, with what people chose on the server, and paused where it must be.

Prefect's own `deploy` sets everything back to what the file says. What people switched off or on (a
deployment, one of its schedules, an automation that starts it) stays so here, and a schedule that they
added stays. Times, parameters and limits are the file's. What publishes to remotes that this clone has
not yet would fail every night: it starts paused, and goes on by itself when the remotes are there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse

from flows import origin, pipeline, store

NEED_REMOTES = ("flows.retrain.retrain",)
"""The flows with a schedule that publish."""
WAITS = "Waits for a remote: "
"""How the description of a deployment begins that we have paused."""


def lacking(root: Path = pipeline.HERE) -> str:
    """Return in a line which remote this clone lacks, and the cure; empty if it has both. None is asked."""
    try:
        clone = origin.home(root)
        origin.address(clone)
        store.check(clone)
    except (ValueError, pipeline.Failed) as error:
        return " ".join(str(error).split())
    return ""


def merged(
    wanted: Mapping[str, Any],
    there: DeploymentResponse | None,
    *,
    switched_off: Collection[str] = (),
    lacks: str = "",
) -> dict[str, Any]:
    """Return a deployment of prefect.yaml with what was chosen for the one that is `there`.

    `switched_off` names automations; `lacks` says which remote is not there.
    """
    chosen = there is not None and not _waits(there)
    waits = bool(lacks) and not chosen and wanted["entrypoint"] in NEED_REMOTES
    paused = there.paused if there is not None and chosen else waits or wanted.get("paused", False)
    return {
        **wanted,
        **({"description": WAITS + lacks} if waits else {}),
        "paused": paused,
        "schedules": _schedules(wanted.get("schedules", []), there.schedules if there else []),
        "triggers": [
            {**each, "enabled": each["name"] not in switched_off}
            for each in wanted.get("triggers", [])
        ],
    }


def _waits(there: DeploymentResponse) -> bool:
    """Tell whether we have paused it, and nobody has switched it on since."""
    return there.paused and (there.description or "").startswith(WAITS)


def _schedules(
    wanted: Sequence[Mapping[str, Any]], there: Sequence[DeploymentSchedule]
) -> list[dict[str, Any]]:
    """Return the file's schedules, on or off as they are, and those that people added, which have no slug."""
    active = {each.slug: each.active for each in there}
    added = [
        {
            **each.schedule.model_dump(mode="json", exclude_none=True),
            "active": each.active,
            "parameters": each.parameters,
        }
        for each in there
        if not each.slug
    ]
    return [
        *({**each, "active": active.get(each["slug"], True)} for each in wanted),
        *added,
    ]
