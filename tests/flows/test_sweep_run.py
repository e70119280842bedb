"""Who works at what: nothing is made twice, nobody waits while there is something to do, one fault is one's own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from flows import pipeline, processes, sweep_plan, sweep_run
from flows.pipeline import Stage
from flows.request import Wanted
from flows.sweep_file import Combination
from flows.sweep_run import Hands, Job, Work

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

STAGES = [
    Stage(name="raw", outs=()), Stage(name="fit", outs=(), needs=("raw",)),
    Stage(name="compare", outs=(), needs=("raw", "fit")),
]  # fmt: skip


def plan(name: str, *, raw: str = "r", fit: str = "") -> sweep_plan.Plan:
    """Return a plan whose stage `raw` is the others' too."""
    fit = fit or f"f {name}"
    return sweep_plan.Plan(
        combination=Combination(name=name, wanted=Wanted(study="a"), labels={}),
        params="", stages=STAGES, keys={"raw": raw, "fit": fit, "compare": f"c {fit}"},
    )  # fmt: skip


def flying(*works: Work) -> dict[Future[None], Work]:
    return {Future(): work for work in works}


def test_who_needs_what_is_being_made_does_something_else() -> None:
    a, b, c = (Job(plan=plan(name)) for name in "abc")
    c.plan.keys["raw"] = "another"
    first = sweep_run.following([a, b, c], {}, set())
    assert first == Work(a, ("raw",))
    a.begun.add("raw")
    assert sweep_run.following([a, b, c], flying(first), set()) == Work(c, ("raw",))
    assert sweep_run.following([a, b], flying(first), set()) is None


def test_what_others_made_comes_in_one_go() -> None:
    a, b = Job(plan=plan("a", fit="f")), Job(plan=plan("b", fit="f"))
    a.begun = a.done = {"raw", "fit"}
    made = {"r", "f"}
    assert sweep_run.following([b], {}, made) == Work(b, ("raw", "fit"), known=True)
    assert sweep_run.following([a], {}, made) == Work(a, ("compare",))
    a.done = a.begun = {stage.name for stage in STAGES}
    assert sweep_run.following([a], {}, made) == Work(a, ())
    a.kept = True
    assert sweep_run.following([a], {}, made) is None
    b.fault = "no"
    assert sweep_run.following([b], {}, made) is None


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Let worktrees be made, filled and kept on paper only; return what was done there."""
    done: list[str] = []
    monkeypatch.setattr(sweep_run, "_open", lambda job, *words: tmp_path / job.name)
    monkeypatch.setattr(sweep_run, "_restore", lambda stages, folder, python: done.append(f"{folder.name} shares {' '.join(stages)}"))  # fmt: skip
    monkeypatch.setattr(sweep_run, "_keep", lambda job, *words: done.append(f"{job.name} kept"))
    return done


def run(plans: list[sweep_plan.Plan], hands: Hands, workers: int = 2) -> dict[str, str]:
    return sweep_run.run(plans, "c", name="toy", workers=workers, hands=hands)


def test_each_stage_runs_once_and_all_workers_work(paper: list[str]) -> None:
    begun: list[tuple[str, str]] = []
    at_work, most, guard = [0], [0], threading.Lock()

    def stage(name: str, stage: str, folder: Path, python: Path, hear: object) -> None:
        with guard:
            begun.append((name, stage))
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        time.sleep(0.02)
        with guard:
            at_work[0] -= 1

    plans = [plan(name, fit=f"f{name in 'bd'}") for name in "abcd"]
    said: list[str] = []
    assert run(plans, Hands(stage=stage, say=said.append), workers=3) == {}
    stages = sorted(stage for _, stage in begun)
    assert stages == ["compare", "compare", "fit", "fit", "raw"] and most[0] == 2
    assert sorted(line for line in paper if "kept" in line) == [f"{x} kept" for x in "abcd"]


def test_a_fault_is_told_of_who_needs_the_same_and_of_nobody_else(paper: list[str]) -> None:
    tried: list[tuple[str, str]] = []

    def stage(
        name: str, stage: str, folder: Path, python: Path, hear: Callable[[str], None]
    ) -> None:
        tried.append((name, stage))
        if stage == "fit" and name in "ab":
            hear(f"fit: error: no room in {folder}/data")
            raise pipeline.Failed("failed to reproduce 'fit'")
        if name == "d" and stage == "fit":
            raise OSError("gone")

    plans = [plan("a", fit="same"), plan("b", fit="same"), plan("c"), plan("d")]
    said: list[str] = []
    faults = run(plans, Hands(stage=stage, say=said.append), workers=1)
    assert faults == {"a": "fit: no room in data", "b": "fit: no room in data", "d": "fit: gone"}
    assert ("b", "fit") not in tried and ("c", "compare") in tried
    assert [line for line in paper if "kept" in line] == ["c kept"]
    assert sum("failed: fit" in line for line in said) == 3


def test_a_bug_and_ctrl_c_are_no_ones_fault_and_end_the_sweep(paper: list[str]) -> None:
    def stage(*words: object) -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        run([plan("a")], Hands(stage=stage, say=lambda line: None))


def test_what_runs_is_ended_when_the_sweep_ends(paper: list[str]) -> None:
    sleeps = threading.Event()

    def stage(name: str, stage: str, folder: Path, python: Path, hear: object) -> None:
        if name == "a":
            sleeps.wait(30)
            raise KeyboardInterrupt
        with processes.session(["sleep", "600"], Path(), os.environ) as process:
            sleeps.set()
            process.wait()

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run([plan("a"), plan("b", raw="another")], Hands(stage=stage, say=lambda line: None))
    assert time.monotonic() - start < 60
