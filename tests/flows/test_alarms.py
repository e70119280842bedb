"""What a server tells people, and when it gives a run up."""

from __future__ import annotations

import datetime
import uuid

import pytest

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
BLOCKS = [uuid.UUID(int=1), uuid.UUID(int=2)]


def found():
    from flows import alarms

    return {each.name: each for each in alarms.automations(BLOCKS)}


def test_every_notice_goes_to_every_block():
    for name, automation in found().items():
        if name != "cxrepro: a run that fell silent":
            assert [action.block_document_id for action in automation.actions] == BLOCKS
            assert all(action.subject.startswith("cxrepro: ") for action in automation.actions)


@pytest.mark.parametrize(
    "event",
    [
        *("prefect.flow-run.Failed", "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"),
        *("prefect.flow-run.Late", "prefect.automation.action.failed"),
        *("cxrepro.gate.rejected", "cxrepro.arrival.quarantined", "cxrepro.audit.failed"),
    ],
)
def test_people_hear_once_of(event):
    told = [
        name
        for name, automation in found().items()
        if event in automation.trigger.expect and automation.trigger.posture == "Reactive"
    ]
    assert len(told) == 1


def test_a_notice_that_cannot_be_sent_asks_for_no_further_notice():
    trigger = found()["cxrepro: an arrival started nothing"].trigger
    assert trigger.match.root == {"prefect.resource.name": "retrain on arrival"}


def test_a_run_is_given_up_after_three_missing_heartbeats():
    silent = found()["cxrepro: a run that fell silent"]
    assert silent.trigger.within == datetime.timedelta(seconds=90)
    assert silent.trigger.after == {"prefect.flow-run.heartbeat"}
    assert {"prefect.flow-run.heartbeat", "prefect.flow-run.Completed"} < silent.trigger.expect
    assert [action.state.value for action in silent.actions] == ["CRASHED"]
