"""tasks: Prefect as all our flows use it: set up before it loads, one kind of patient task, and events.

Whoever imports Prefect for a flow imports this first. A task is tried again after a lock that another
DVC process holds and after a remote that does not answer, and after nothing else; Prefect keeps no
result. `python -m flows.<name>` starts a server for the run alone, on loopback.
"""

from __future__ import annotations

import json
import os
import secrets
import uuid
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

# Before prefect loads: it calls home unless told not to, and the run's own server, which answers
# anyone who asks by default, must be seen from this machine only and by this process only.
os.environ["DO_NOT_TRACK"] = "1"
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ.setdefault("PREFECT_SERVER_API_HOST", "127.0.0.1")
os.environ.setdefault("PREFECT_SERVER_CORS_ALLOWED_ORIGINS", "http://127.0.0.1")
if "PREFECT_API_URL" not in os.environ:
    os.environ["PREFECT_API_AUTH_STRING"] = f"cxrepro:{secrets.token_urlsafe(16)}"
    os.environ["PREFECT_SERVER_API_AUTH_STRING"] = os.environ["PREFECT_API_AUTH_STRING"]
# an ephemeral server starts in 7 to 14 s on two idle cores, and longer on busy ones
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import TaskRun
from prefect.events import Event, RelatedResource, Resource
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL
from prefect.states import State
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import Task

from flows import pipeline

AT_ONCE = len(os.sched_getaffinity(0))
"""Tasks side by side: one for each core that we may use."""
RUNNER: Any = ThreadPoolTaskRunner(max_workers=AT_ONCE)
"""What flows run tasks by; Prefect gives each run a copy."""
_TITLE = 80  # characters: a column of the UI's list
_P = ParamSpec("_P")
_R = TypeVar("_R")


def worth_a_retry(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Allow a retry after a held lock or a silent remote, and after nothing else."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, pipeline.Locked | pipeline.Unreachable)


def patient(name: str | None = None) -> Callable[[Callable[_P, _R]], Task[_P, _R]]:
    """Make a function a task that waits for locks and remotes; `name` is that of its runs, `{stage}` say."""
    return task(
        cache_policy=NO_CACHE, retries=5, retry_delay_seconds=10, retry_condition_fn=worth_a_retry,
        persist_result=False, task_run_name=name,
    )  # fmt: skip


def titled(words: Callable[..., str]) -> Callable[[], str]:
    """Return what names a flow's runs: `words` of the run's parameters, cut to a length that lists show."""

    def title() -> str:
        said = " ".join(words(**flow_run.get_parameters()).split())
        return said if len(said) <= _TITLE else f"{said[: _TITLE - 1]}…"

    return title


def tell(event: str, resource: str, facts: Mapping[str, str]) -> None:
    """Let the server that PREFECT_API_URL names hear of an event; nothing without one.

    When this returns the server has it. The same facts have the same id, so that who tells them again
    after a crash adds no second event. Raises Unreachable where the server does not take it.
    """
    if not PREFECT_API_URL.value():
        return
    text = json.dumps([event, resource, dict(facts)], sort_keys=True)
    told = Event(
        id=uuid.uuid5(uuid.NAMESPACE_OID, text),
        event=event,
        payload=dict(facts),
        resource=Resource({"prefect.resource.id": resource}),
        related=_this_run(),
    )
    try:
        with get_client(sync_client=True) as client:
            client.request("POST", "/events", json=[told.model_dump(mode="json")])
    except Exception as error:  # kinds of its own client, for the network and for the server
        raise pipeline.Unreachable(f"the server can't be told of {event}: {error}") from error


def _this_run() -> list[RelatedResource]:
    """Return the run that tells, so that its page lists the event; nothing outside of a run."""
    number = flow_run.get_id()
    names = {
        "prefect.resource.id": f"prefect.flow-run.{number}",
        "prefect.resource.role": "flow-run",
    }
    return [RelatedResource(names)] if number else []
