"""alarms: of what a server tells people by itself, and how it finds runs that died unseen.

A run says every half minute that it lives. Where three such words are missing, the run is marked
as crashed, so that the next one gets its slot; a failed, crashed or late run, and events that need
a person's eyes, are sent to every block that is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from prefect.client.schemas.objects import StateType
from prefect.events.actions import ActionTypes, ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from flows.serve import HEARTBEAT_S

_SILENT_S = 3 * HEARTBEAT_S
_HEARTBEAT = "prefect.flow-run.heartbeat"
_ENDED = {f"prefect.flow-run.{state}" for state in ("Completed", "Cancelled")}
_FAILED = {f"prefect.flow-run.{state}" for state in ("Failed", "Crashed", "TimedOut")}
_LATE = {"prefect.flow-run.Late"}
_REPORTS = {"cxrepro.gate.rejected", "cxrepro.arrival.quarantined", "cxrepro.audit.failed"}
_RUNS = ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"})
_ABOUT_RUN = """\
{{ flow_run.name }}: {{ flow_run.state.message }}
{{ flow_run|ui_url }}"""
_ABOUT_EVENT = """\
{% for key, value in event.payload.items() %}{{ key }}: {{ value }}
{% endfor %}"""


def automations(blocks: Sequence[UUID]) -> list[AutomationCore]:
    """Return the automations that we want on a server; the blocks are those of notifications."""
    return [
        silent(),
        _tell(
            "cxrepro: a flow failed",
            _run_is(_FAILED),
            subject="{{ flow.name }} {{ flow_run.state.name|lower }}",
            body=_ABOUT_RUN,
            blocks=blocks,
        ),
        _tell(
            "cxrepro: a flow is late",
            _run_is(_LATE),
            subject="{{ flow.name }} has not begun in time: is the worker there?",
            body=_ABOUT_RUN,
            blocks=blocks,
        ),
        _tell(
            "cxrepro: a result needs eyes",
            EventTrigger(expect=_REPORTS, posture=Posture.Reactive, threshold=1),
            subject="{{ event.event }}",
            body=_ABOUT_EVENT,
            blocks=blocks,
        ),
        _tell(
            "cxrepro: an arrival started nothing",
            EventTrigger(
                match=ResourceSpecification({"prefect.resource.name": "retrain on arrival"}),
                expect={"prefect.automation.action.failed"},
                posture=Posture.Reactive,
                threshold=1,
            ),
            subject="an event cxrepro.data.arrived started no run: is its payload right?",
            body=_ABOUT_EVENT,
            blocks=blocks,
        ),
    ]


def silent() -> AutomationCore:
    """Return the automation that marks a run as crashed when it no longer says that it lives."""
    return AutomationCore(
        name="cxrepro: a run that fell silent",
        description="frees the slot of a run whose process is gone or hangs",
        trigger=EventTrigger(
            match=_RUNS,
            after={_HEARTBEAT},
            expect={_HEARTBEAT, *_ENDED, *_FAILED},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=_SILENT_S),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                name="Crashed",
                force=False,
                message=f"No sign of life for {_SILENT_S} s: the process is gone or hangs.",
            )
        ],
    )


def _run_is(states: set[str]) -> EventTrigger:
    """Return what fires for each run that comes into one of these states."""
    return EventTrigger(
        match=_RUNS,
        expect=states,
        for_each={"prefect.resource.id"},
        posture=Posture.Reactive,
        threshold=1,
    )


def _tell(
    name: str, trigger: EventTrigger, *, subject: str, body: str, blocks: Sequence[UUID]
) -> AutomationCore:
    actions: list[ActionTypes] = [
        SendNotification(block_document_id=block, subject=f"cxrepro: {subject}", body=body)
        for block in blocks
    ]
    return AutomationCore(name=name, trigger=trigger, actions=actions)
