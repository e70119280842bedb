"""Serving: state folder and port (fast), and all that a really started server promises (slow)."""

from __future__ import annotations

import ast
import os
import re
import signal
import socket
import stat
import sys
import time
from pathlib import Path

import pytest
import yaml

from flows import pipeline, serve
from tests.flows import served, toy

DEPLOYMENTS = yaml.safe_load((toy.ROOT / "prefect.yaml").read_text())["deployments"]
SHA256 = "0123456789abcdef" * 4
ARRIVAL = "retrain on arrival"


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


def test_credentials_are_made_once_and_never_shown(tmp_path: Path, capsys):
    (tmp_path / ".serve").mkdir()
    with serve.only_one(tmp_path / ".serve"):
        made = serve.known(tmp_path / ".serve")
        assert serve.known(tmp_path / ".serve") == made
    said = capsys.readouterr().out
    assert said == "credentials made: .serve/credentials; the page asks for that line\n"
    assert re.fullmatch(r"cxrepro:[\w-]{32}", made)
    assert mode(tmp_path / ".serve") == "0o700"
    assert mode(tmp_path / ".serve/credentials") == "0o600"


def test_a_second_one_says_where_the_first_is(tmp_path: Path):
    with serve.only_one(tmp_path / ".serve"):
        (tmp_path / ".serve/address").write_text("http://127.0.0.1:4201/api")
        with (
            pytest.raises(pipeline.Failed, match=r"running already, at http://127.0.0.1:4201: use"),
            serve.only_one(tmp_path / ".serve"),
        ):
            pass
    with serve.only_one(tmp_path / ".serve"):
        pass


def test_the_port_is_the_one_asked_for_or_the_last_or_a_free_one(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"port {port} is taken"):
            serve.free_port(port, tmp_path)
        (tmp_path / "address").write_text(f"http://127.0.0.1:{port}/api")
        assert serve.free_port(None, tmp_path) != port
    assert serve.free_port(port, tmp_path) == port
    assert serve.free_port(None, tmp_path) == port


def test_nobody_elses_server_is_spoken_to_and_ours_is_on_loopback(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PREFECT_PROFILE", "of a person")
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", "postgresql://elsewhere")
    monkeypatch.setenv("PREFECT_SERVER_API_HOST", "0.0.0.0")
    monkeypatch.setenv("PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS", "7")
    env = serve.environment(tmp_path, port=4203, credentials="a:b")
    assert "PREFECT_PROFILE" not in env and "PREFECT_SERVER_DATABASE_CONNECTION_URL" not in env
    assert env["PREFECT_SERVER_API_HOST"] == "127.0.0.1"
    assert env["PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS"] == "7"
    assert env["PREFECT_SERVER_API_AUTH_STRING"] == env["PREFECT_API_AUTH_STRING"] == "a:b"
    assert env["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false" and env["DO_NOT_TRACK"] == "1"
    origins = "http://127.0.0.1:4203,http://localhost:4203"
    assert env["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] == origins


def test_a_webhook_is_an_address_of_the_folder_or_the_environment(tmp_path: Path, monkeypatch):
    monkeypatch.delenv("CXREPRO_WEBHOOK", raising=False)
    assert serve.webhook(tmp_path) == []
    (tmp_path / "webhook").write_text("https://chat.example.org/secret\n")
    assert serve.webhook(tmp_path) == ["https://chat.example.org/secret"]
    monkeypatch.setenv("CXREPRO_WEBHOOK", "chat.example.org")
    with pytest.raises(ValueError, match=r"\.serve/webhook .* must be one http"):
        serve.webhook(tmp_path)


def test_what_a_killed_program_leaves_behind_ends_too(tmp_path: Path):
    words = "import subprocess, sys; print(subprocess.Popen(['sleep', '300']).pid, flush=True)"
    with serve.child([sys.executable, "-c", words], os.environ, tmp_path, piped=True) as process:
        assert process.stdout is not None
        left = int(process.stdout.readline())
        process.wait(30)
        assert Path(f"/proc/{left}").exists()

    def ended() -> bool:
        try:
            return " Z " in Path(f"/proc/{left}/stat").read_text()
        except OSError:
            return True

    served.until(ended, seconds=10)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each["entrypoint"])
def test_a_deployment_names_a_flow_waits_for_its_turn_and_keeps_utc(deployment):
    module, _, function = deployment["entrypoint"].rpartition(".")
    tree = ast.parse((toy.ROOT / f"{module.replace('.', '/')}.py").read_text())
    assert function in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert deployment["concurrency_limit"]["limit"] == 1
    assert deployment["concurrency_limit"]["collision_strategy"] == "ENQUEUE"
    assert deployment["work_pool"]["name"] == serve.POOL
    assert {each["timezone"] for each in deployment.get("schedules", [])} <= {"UTC"}


def test_prefect_yaml_holds_no_address_and_no_secret():
    text = (toy.ROOT / "prefect.yaml").read_text()
    assert "://" not in text and not re.search("password|token|secret", text, re.IGNORECASE)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory):
    """A server of a fresh clone, and what its chat heard."""
    with served.sink() as (address, heard):
        found = served.Served(tmp_path_factory.mktemp("served"), address)
        found.seconds = found.start()  # type: ignore[attr-defined]
        found.heard = heard  # type: ignore[attr-defined]
        yield found
        if found.process.poll() is None:
            found.stop(signal.SIGTERM)


@pytest.mark.slow
def test_a_fresh_clone_is_up_in_a_minute_with_all_deployments(up):
    assert up.seconds <= 60
    names = {(each["entrypoint"], each["name"]) for each in up.ask("/deployments/filter", {})[1]}
    assert names >= {(each["entrypoint"], each["name"]) for each in DEPLOYMENTS}
    assert toy.git(up.root, "status", "--porcelain", "--", ":!.serve") == ""
    for path in ("", "/credentials", "/profiles.toml"):
        assert int(mode(Path(f"{up.root}/.serve{path}")), 8) & 0o077 == 0
    known = (up.root / ".serve/credentials").read_text()
    assert known.partition(":")[2] not in up.said()


@pytest.mark.slow
def test_who_has_no_credentials_is_not_answered(up):
    for user in ("", "cxrepro:guessed"):
        assert up.ask("/flows/filter", {}, user=user)[0] == 401
        assert up.ask("/events", [], user=user)[0] == 401
    assert up.ask("/flows/filter", {})[0] == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("deployment", "parameters", "fault"),
    [
        ("reproduce/on-demand", {"wanted": {"study": "No Such"}}, "wanted.study"),
        ("reproduce/on-demand", {"wanted": {"studdy": "toy"}}, "studdy"),
        ("retrain/arrivals", {"wanted": {"inbox": "i", "study": "s", "manifest": "1"}}, "manifest"),
    ],
)
def test_a_wrong_parameter_is_refused_before_the_run(up, deployment, parameters, fault):
    there = up.ask(f"/deployments/name/{deployment}")[1]
    asked = {"parameters": parameters}
    status, words = up.ask(f"/deployments/{there['id']}/create_flow_run", asked)
    assert status in (409, 422) and fault in words


@pytest.mark.slow
def test_the_schedule_fires(up):
    def fired():
        return [each for each in up.runs("wait/often") if each["state_name"] == "Completed"]

    served.until(fired, seconds=120)
    assert all(each["auto_scheduled"] for each in fired())
    there = up.ask("/deployments/name/wait/often")[1]
    assert up.ask(f"/deployments/{there['id']}/pause_deployment", {})[0] == 200


@pytest.mark.slow
def test_what_lacks_a_remote_starts_paused_and_says_the_cure(up):
    """The clone has a git remote and no DVC remote."""
    (line,) = [x for x in up.said().splitlines() if x.startswith("paused: ")]
    assert line.startswith("paused: retrain/arrivals: this clone has no default DVC remote")
    assert "`dvc remote add --default" in line
    there = up.ask("/deployments/name/retrain/arrivals")[1]
    assert there["paused"] and there["description"].startswith("Waits for a remote: ")
    assert not up.ask("/deployments/name/audit/weekly")[1]["paused"]


@pytest.mark.slow
def test_an_event_begins_a_run_with_what_it_carries_and_a_wrong_one_is_told(up):
    payload = {"inbox": "/an/inbox", "study": "toy", "manifest": SHA256}
    up.tell("cxrepro.data.arrived", **payload)
    served.until(
        lambda: any(
            each["parameters"] == {"wanted": payload} for each in up.runs("retrain/arrivals")
        ),
        seconds=60,
    )
    up.tell("cxrepro.data.arrived", **{**payload, "manifest": "no hash"})
    served.until(lambda: "wanted.manifest" in "".join(up.heard), seconds=60)


@pytest.mark.slow
def test_people_hear_of_a_failed_run_and_of_a_rejection(up):
    up.reaches(up.run("wait/toy", word="fail"), "Failed")
    up.tell("cxrepro.gate.rejected", arrival="day-3", reason="AUROC -.04 [-.07, -.01]")
    log = up.root / ".serve/notices.log"
    for words in ("cxrepro: wait failed", "failed as asked", "AUROC -.04 [-.07, -.01]"):
        served.until(lambda words=words: words in "".join(up.heard), seconds=60)
        served.until(lambda words=words: words in log.read_text(), seconds=60)


@pytest.mark.slow
def test_people_hear_of_a_run_that_does_not_begin(up):
    for paused in (True, False):
        asked = {"is_paused": paused}
        assert up.ask("/work_pools/cxrepro", asked, method="PATCH")[0] == 204
        if paused:
            late = up.run("wait/toy", hours_ago=1)
            served.until(lambda: "wait has not begun in time" in "".join(up.heard), seconds=60)
    up.reaches(late, "Completed")


@pytest.mark.slow
def test_a_killed_run_is_found_and_frees_its_slot(up):
    begun = up.run("wait/toy", seconds=600)
    up.reaches(begun, "Running")
    waiting = up.run("wait/toy")
    up.reaches(waiting, "AwaitingConcurrencySlot")
    for number in up.programs(f"PREFECT__FLOW_RUN_ID={begun}"):
        os.kill(number, signal.SIGKILL)
    up.reaches(begun, "Crashed")
    up.reaches(waiting, "Completed")


@pytest.mark.slow
def test_a_run_that_hangs_is_found_and_frees_its_slot(up):
    begun = up.run("wait/toy", seconds=600)
    up.reaches(begun, "Running")
    waiting = up.run("wait/toy")
    time.sleep(3)  # its first heartbeat
    hanging = up.programs(f"PREFECT__FLOW_RUN_ID={begun}")
    for number in hanging:
        os.kill(number, signal.SIGSTOP)
    up.reaches(begun, "Crashed", seconds=180)
    up.reaches(waiting, "Completed")
    for number in hanging:
        os.kill(number, signal.SIGKILL)


@pytest.mark.slow
def test_a_killed_worker_is_started_again_and_takes_its_runs_along(up):
    begun = up.run("wait/toy", seconds=600)
    up.reaches(begun, "Running")
    waiting = up.run("wait/toy")
    (number,) = up.programs("flows/leash.py") & up.programs("\0worker\0start")
    (worker,) = [each for each in up.programs("\0worker\0start") if each != number]
    os.kill(worker, signal.SIGKILL)
    up.reaches(begun, "Crashed")
    up.reaches(waiting, "Completed")
    assert "the worker has ended unasked" in up.said()


@pytest.mark.slow
def test_all_ends_with_its_starter_and_a_new_start_goes_on(up):
    weekly = up.ask("/deployments/name/audit/weekly")[1]
    (schedule,) = weekly["schedules"]
    place = f"/deployments/{weekly['id']}/schedules"
    assert up.ask(f"{place}/{schedule['id']}", {"active": False}, method="PATCH")[0] == 204
    own = {"schedule": {"interval": 3600, "timezone": "UTC"}, "active": False}
    assert up.ask(place, [own])[0] == 201
    (automation,) = up.ask("/automations/filter", {"automations": {"name": {"any_": [ARRIVAL]}}})[1]
    off = {"enabled": False}
    assert up.ask(f"/automations/{automation['id']}", off, method="PATCH")[0] == 204
    for name, chosen in (("retrain/arrivals", "resume"), ("wait/often", "pause")):
        number = up.ask(f"/deployments/name/{name}")[1]["id"]
        assert up.ask(f"/deployments/{number}/{chosen}_deployment", {})[0] == 200
    for number in (signal.SIGINT, signal.SIGKILL):
        begun = up.run("wait/toy", seconds=600)
        up.reaches(begun, "Running")
        up.stop(number)
        up.start()
        up.reaches(begun, "Crashed")
    up.reaches(up.run("wait/toy"), "Completed")
    check_choices(up)


def check_choices(up) -> None:
    """Fail unless all is switched as the test above did it, two starts later."""
    found = up.ask("/deployments/name/audit/weekly")[1]["schedules"]
    assert sorted((each["slug"] or "", each["active"]) for each in found) == [
        ("", False),
        ("weekly", False),
    ]
    (automation,) = up.ask("/automations/filter", {"automations": {"name": {"any_": [ARRIVAL]}}})[1]
    assert automation["enabled"] is False
    assert not up.ask("/deployments/name/retrain/arrivals")[1]["paused"]
    assert up.ask("/deployments/name/wait/often")[1]["paused"]
