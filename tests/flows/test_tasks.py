"""What all flows share: who is patient with what, what runs are called, and events that arrive or are said to be lost."""

from __future__ import annotations

import contextlib
import importlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from flows import pipeline
from tests.house import source

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def module(name: str = "tasks") -> Any:
    """Import a flow's module; Prefect's own imports warn of what will go in later versions."""
    return importlib.import_module(f"flows.{name}")


def made(kind: str) -> list[Any]:
    """Return every object of a kind of Prefect's that the modules of flows hold."""
    found = []
    for file in source.modules("flows"):
        if "flows.tasks" in source.imported(file):
            held = vars(module(Path(file).stem)).values()
            found += [each for each in held if type(each).__name__ == kind]
    return found


def test_nothing_is_cached_and_every_task_is_patient():
    found = made("Task")
    assert {task.name for task in found} >= {"run_stage", "check_stage", "ask_remote", "assign", "step"}  # fmt: skip
    for task in found:
        assert task.cache_policy == module().NO_CACHE and task.persist_result is False
        assert (task.retries, task.retry_delay_seconds) == (5, 10)
        assert task.retry_condition_fn is module().worth_a_retry


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (pipeline.Locked("busy"), True),
        (pipeline.Unreachable("timed out"), True),
        (pipeline.Failed("no"), False),
    ],
)
def test_only_a_held_lock_and_a_silent_remote_are_worth_a_retry(error, again):
    class Ended:
        def result(self, raise_on_failure: bool) -> Exception:
            return error

    assert module().worth_a_retry(None, None, Ended()) is again


def test_every_flow_says_what_a_run_is_about():
    assert {flow.name for flow in made("Flow")} >= {"reproduce", "retrain", "rollback", "audit", "housekeeping"}  # fmt: skip
    for flow in made("Flow"):
        assert callable(flow.flow_run_name), flow.name


def test_a_run_is_called_by_its_parameters():
    study = module("reproduce").Wanted
    say = module("reproduce").title
    assert say(study()) == "this checkout"
    asked = study(study="toy", revision="v1", overrides={"seed": 8, "transfer.runs": ["left"]})
    assert say(asked) == "study toy at v1, seed: 8, transfer.runs: [left]"
    assert say(study(revision="main~2")) == "at main~2"
    inbox = module("retrain").Wanted(inbox=Path("../inbox"), study="hospital")
    assert module("retrain").title(inbox) == "hospital from ../inbox"
    only = inbox.model_copy(update={"manifest": "0123456789" * 6 + "abcd"})
    assert module("retrain").title(only) == "hospital from ../inbox, manifest 01234567"
    assert module("rollback").title("hospital", "v1.0.0") == "hospital back to v1.0.0"
    assert module("audit").title(count=2, seed=None, revision="HEAD") == "2 of HEAD"
    assert module("audit").title(count=1, seed="a", revision="HEAD") == "1 of HEAD, seed a"
    assert module("housekeeping").title(14, dry_run=True) == "older than 14 days, dry run"
    long = module().titled(lambda: "a\nword " * 50)()
    assert len(long) == 80 and long.startswith("a word a word") and long.endswith("…")


@contextlib.contextmanager
def server(status: int) -> Iterator[tuple[str, list[Any]]]:
    """Yield the address of a server that takes events and answers so, and what it was told."""
    heard: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append((self.path, json.loads(content)))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            """Say that there is no token to fetch first."""
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: object) -> None: ...

    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{found.server_port}/api", heard
    finally:
        found.shutdown()
        found.server_close()
        thread.join()


def tell(address: str | None, **facts: str) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: address}):
        module().tell("cxrepro.gate.rejected", "cxrepro.study.toy", {"arrival": "march", **facts})


def test_an_event_arrives_and_the_same_one_is_known_by_its_id():
    with server(204) as (address, heard):
        tell(address)
        tell(address)
        tell(address, reason="worse")
    assert [path for path, _ in heard] == ["/api/events"] * 3
    (one,), (again,), (other,) = (content for _, content in heard)
    assert one["event"] == "cxrepro.gate.rejected" and one["payload"] == {"arrival": "march"}
    assert one["resource"] == {"prefect.resource.id": "cxrepro.study.toy"}
    assert one["id"] == again["id"] != other["id"]


def test_without_a_server_nobody_is_told_and_one_that_refuses_is_worth_a_retry():
    tell(None)
    with server(400) as (address, _), pytest.raises(pipeline.Unreachable, match=r"of cxrepro.*400"):
        tell(address)
