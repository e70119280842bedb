"""What a server is told at its start; the whole is tested with a real one in test_serve.py."""

from __future__ import annotations

import asyncio
import datetime
import types
import uuid

import pytest

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Client:
    """A client that knows one of our automations already, and runs of a worker that is gone."""

    def __init__(self, runs=(), deployments=()):
        self.deployments = list(deployments)
        self.runs, self.created, self.updated, self.set = list(runs), [], {}, {}

    async def read_automations_by_name(self, name):
        if name != "cxrepro: a flow is late":
            return []
        return [types.SimpleNamespace(id="known", enabled=False)]

    async def read_deployments(self):
        return self.deployments

    async def create_automation(self, automation):
        self.created.append(automation.name)

    async def update_automation(self, automation_id, automation):
        self.updated[automation_id] = automation

    async def read_flow_runs(self, *, flow_run_filter, work_pool_filter):
        assert work_pool_filter.name.any_ == ["cxrepro"]
        return [run for run in self.runs if run.state.type in flow_run_filter.state.type.any_]

    async def set_flow_run_state(self, flow_run_id, state, *, force):
        assert force
        self.set[flow_run_id] = state


def run(name, state, worker=None):
    """A run, labelled as its worker does before it begins it."""
    labels = {} if worker is None else {"prefect.worker.name": worker}
    return types.SimpleNamespace(id=name, name=name, state=state, labels=labels)


def test_an_automation_that_is_switched_off_stays_so():
    from flows import deploy

    client = Client()
    asyncio.run(deploy.automate(client, [uuid.UUID(int=1)]))
    assert "cxrepro: a flow failed" in client.created
    assert "cxrepro: a flow is late" not in client.created
    assert client.updated["known"].enabled is False


def test_what_was_left_behind_is_ended_and_what_had_not_begun_is_tried_again(capsys):
    from prefect import states

    from flows import deploy

    made = {
        "begun": states.Running(),
        "not begun": states.Pending(),
        "unwanted": states.Cancelling(),
        "done": states.Completed(),
        "later": states.Scheduled(),
    }
    client = Client([run(name, state) for name, state in made.items()])
    asyncio.run(deploy.end_left_behind(client))
    assert {name: state.type.value for name, state in client.set.items()} == {
        "begun": "CRASHED",
        "not begun": "SCHEDULED",
        "unwanted": "CANCELLED",
    }
    assert "left behind: begun was Running" in capsys.readouterr().out


def test_the_runs_of_workers_that_live_are_left_alone():
    """A server that was restarted finds its workers at work; what no worker has named itself on waits long."""
    from prefect import states

    from flows import deploy

    old = states.Pending()
    old.timestamp -= datetime.timedelta(minutes=11)
    runs = [
        run("lives", states.Running(), "cpu-1.here"),
        run("lives, not begun", states.Pending(), "cpu-1.here"),
        run("elsewhere", states.Running(), "gpu-1.there"),
        run("left", states.Running(), "cpu-2.here"),
        run("being taken", states.Pending()),
        run("taken long ago", old),
    ]
    client = Client(runs)
    asyncio.run(deploy.end_left_behind(client, {"cpu-2.here"}, alone=False))
    assert {name: state.type.value for name, state in client.set.items()} == {
        "left": "CRASHED",
        "taken long ago": "SCHEDULED",
    }


def test_what_starts_paused_is_told_in_a_line_and_an_automation_that_is_off_stays_so(capsys):
    from flows import deploy

    late = {"name": "cxrepro: a flow is late"}
    nightly = {"name": "arrivals", "entrypoint": "flows.retrain.retrain", "triggers": [late]}
    wanted = {"name": "cxrepro", "deployments": [nightly, {**nightly, "entrypoint": "flows.a.b"}]}
    found = asyncio.run(deploy.choose(Client(), wanted, "no remote: make one"))
    assert found["name"] == "cxrepro"
    assert [each["paused"] for each in found["deployments"]] == [True, False]
    assert found["deployments"][0]["triggers"] == [{**late, "enabled": False}]
    assert capsys.readouterr().out == (
        "paused: retrain/arrivals: no remote: make one; then start again\n"
    )
