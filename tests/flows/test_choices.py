"""What people chose stands at the next start; what lacks a remote waits for it, unless people say otherwise."""

from __future__ import annotations

import datetime
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.flows import deployed, toy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
NIGHTLY = {"slug": "nightly", "cron": "0 2 * * *", "timezone": "UTC"}
WANTED = {
    "name": "arrivals",
    "entrypoint": "flows.retrain.retrain",
    "schedules": [NIGHTLY],
    "triggers": [{"name": "on arrival", "expect": ["x"]}],
}
LACKS = "there is no remote: make one"


def merged(there: Any = None, **more: Any) -> dict[str, Any]:
    """Import when asked: Prefect's own imports warn of what will go in later versions."""
    from flows import choices

    return choices.merged(WANTED, there, **more)


def on_server(*, paused: bool = False, active: bool = True, description: str | None = None) -> Any:
    from prefect.client.schemas.objects import DeploymentSchedule
    from prefect.client.schemas.responses import DeploymentResponse
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

    hourly = IntervalSchedule(interval=datetime.timedelta(hours=1), timezone="UTC")
    return DeploymentResponse(
        id=uuid.uuid4(), name="arrivals", flow_id=uuid.uuid4(), paused=paused,
        description=description, entrypoint="flows.retrain.retrain",
        schedules=[
            DeploymentSchedule(schedule=CronSchedule(cron="0 2 * * *"), active=active, slug="nightly"),
            DeploymentSchedule(schedule=hourly, active=False, parameters={"a": 1}),
        ],
    )  # fmt: skip


def test_a_new_deployment_is_on_with_all_that_the_file_says():
    assert merged() == {
        **WANTED,
        "paused": False,
        "schedules": [{**NIGHTLY, "active": True}],
        "triggers": [{"name": "on arrival", "expect": ["x"], "enabled": True}],
    }


@pytest.mark.parametrize("active", [True, False])
def test_what_people_switched_stays_and_their_own_schedules_too(active: bool):
    found = merged(on_server(paused=not active, active=active), switched_off=["on arrival"])
    assert found["paused"] is not active
    ours, theirs = found["schedules"]
    assert ours == {**NIGHTLY, "active": active}
    assert (theirs["active"], theirs["parameters"]) == (False, {"a": 1})
    assert found["triggers"][0]["enabled"] is False


def test_a_schedule_of_people_can_be_deployed_as_it_was():
    from prefect.cli.deploy._schedules import _schedule_config_to_deployment_schedule as read

    there = on_server()
    again = read(merged(there)["schedules"][1])
    assert again["schedule"] == there.schedules[1].schedule
    assert again["active"] is False and again["parameters"] == {"a": 1}


def test_what_lacks_a_remote_waits_and_goes_on_when_it_is_there():
    waiting = merged(lacks=LACKS)
    assert waiting["paused"] and waiting["description"] == f"Waits for a remote: {LACKS}"
    there = on_server(paused=True, description=waiting["description"])
    assert merged(there, lacks=LACKS)["paused"]
    assert not merged(there)["paused"] and "description" not in merged(there)


def test_who_switches_it_on_all_the_same_is_let_do_so_and_who_paused_it_finds_it_paused():
    from flows import choices

    on = on_server(description=f"{choices.WAITS}{LACKS}")
    assert not merged(on, lacks=LACKS)["paused"]
    assert merged(on_server(paused=True, description="by a person"))["paused"]


def test_what_publishes_nothing_needs_no_remote():
    from flows import choices

    other = {**WANTED, "entrypoint": "flows.audit.audit"}
    assert choices.merged(other, None, lacks=LACKS)["paused"] is False


def test_what_a_clone_lacks_is_a_line_with_the_cure(tmp_path: Path):
    from flows import choices

    clone = deployed.copy(deployed.make(tmp_path / "one"), tmp_path / "two")
    assert choices.lacking(clone) == ""
    (clone.parent / "origin.git").rename(tmp_path / "away")  # nobody is asked
    assert choices.lacking(clone) == ""
    config = clone / ".dvc/config"
    config.write_text(config.read_text().partition("['remote")[0].replace("remote =", "#"))
    assert "`dvc remote add --default storage" in choices.lacking(clone)
    toy.git(clone, "remote", "remove", "origin")
    said = choices.lacking(clone)
    assert "git remote add origin" in said and "\n" not in said


def test_prefect_yaml_names_what_is_needed_here():
    """Schedules by slugs, triggers by names, and the flows that publish."""
    from flows import choices

    found = yaml.safe_load((toy.ROOT / "prefect.yaml").read_text())["deployments"]
    assert all("slug" in x for each in found for x in each.get("schedules", []))
    assert all("name" in x for each in found for x in each.get("triggers", []))
    assert set(choices.NEED_REMOTES) <= {each["entrypoint"] for each in found}
