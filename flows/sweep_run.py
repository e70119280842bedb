"""sweep_run: the combinations of a sweep side by side, each in a worktree of its own, nothing made twice.

One stage is one piece of work. A stage that several combinations share (the same key, see
flows/sweep_plan.py) runs in the first that gets to it; the others wait for it, do something else
meanwhile, and then get it and all that they share in one go from DVC's run cache. A combination is
finished when DVC has nothing to do in it and its commit is kept. One that fails keeps no other from its
end, except those that need the very same stage: what failed once is not tried again and again.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from flows import checkouts, files, pipeline, processes, reproduce, study, sweep_kept, trial
from flows.sweep_plan import DVC, Plan


@dataclass(frozen=True, kw_only=True)
class Hands:
    """Who does the work: Prefect's tasks, or plain calls."""

    stage: Callable[[str, str, Path, Path, Callable[[str], None]], object]
    """run, for a combination, a stage of a checkout by a Python, its lines to a function"""
    say: Callable[[str], None]


@dataclass
class Job:
    """A combination on its way; it changes in the main thread only, its folder apart."""

    plan: Plan
    folder: Path | None = None
    python: Path = Path()
    begun: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    kept: bool = False
    fault: str = ""
    door: threading.Lock = field(default_factory=threading.Lock)
    """held while the worktree is made"""

    @property
    def name(self) -> str:
        """Return the combination's."""
        return self.plan.combination.name


@dataclass(frozen=True)
class Work:
    """What one thread does: stages of a combination, or keeping it where there are none."""

    job: Job
    stages: tuple[str, ...]
    known: bool = False
    """whether another combination has made them"""


class Stopped(Exception):
    """A stage failed, with what it said."""


def run(
    plans: Sequence[Plan], commit: str, *, name: str, workers: int, hands: Hands,
    root: Path = pipeline.HERE,
) -> dict[str, str]:  # fmt: skip
    """Run and keep every combination; return why those failed that did, by combination."""
    jobs = [Job(plan=plan) for plan in plans]
    made: set[str] = set()  # keys of stages that some combination has
    faulty: dict[str, str] = {}  # what the stage of a key said
    running: dict[Future[None], Work] = {}
    # what goes wrong ends the programs first: the pool waits for those who wait for them
    with ThreadPoolExecutor(workers) as pool, processes.together():
        while True:
            while len(running) < workers and (work := following(jobs, running, made)):
                work.job.begun |= {*work.stages}
                work.job.kept = not work.stages
                task = contextvars.copy_context().run
                running[pool.submit(task, _do, work, commit, name, hands, root)] = work
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                _note(running.pop(future), future, made, faulty, hands)
            for job in jobs:
                _give_up(job, faulty, hands)
    return {job.name: job.fault for job in jobs if job.fault}


def following(
    jobs: Sequence[Job], running: dict[Future[None], Work], made: set[str]
) -> Work | None:
    """Return what can be done now, of the first combination that has something; None if all must wait."""
    flying = {work.job.plan.keys[stage] for work in running.values() for stage in work.stages}
    for job in jobs:
        if job.fault or job.kept:
            continue
        plan = job.plan
        if len(job.done) == len(plan.stages):
            return Work(job, ())
        if known := shared(job, made):
            return Work(job, known, known=True)
        for stage in reproduce.ready(plan.stages, job.begun, job.done):
            if plan.keys[stage.name] not in flying:
                return Work(job, (stage.name,))
    return None


def shared(job: Job, made: set[str]) -> tuple[str, ...]:
    """Return the stages that need nothing but what is there already, in this combination or in others."""
    found: list[str] = []
    for stage in job.plan.stages:
        there = job.done.union(found).issuperset(stage.needs)
        if stage.name not in job.begun and there and job.plan.keys[stage.name] in made:
            found.append(stage.name)
    return tuple(found)


def _do(work: Work, commit: str, name: str, hands: Hands, root: Path) -> None:
    job = work.job
    with job.door:
        folder = job.folder = job.folder or _open(job, commit, name, root)
    if not work.stages:
        _keep(job, folder, name, hands, root)
    elif work.known:
        _restore(work.stages, folder, job.python)
    else:
        lines: list[str] = []
        try:
            hands.stage(job.name, work.stages[0], folder, job.python, lines.append)
        except pipeline.Failed as error:
            raise Stopped(trial.complaint(lines) or str(error)) from error


def _open(job: Job, commit: str, name: str, root: Path) -> Path:
    """Return a new worktree with the combination's parameters."""
    with DVC:
        folder = checkouts.add(f"{sweep_kept.label(name)}{job.name}", commit, root=root)
        files.write(folder / study.PARAMS_FILE, job.plan.params)
        pipeline.forget_removed_runs(folder, current=list(job.plan.stages))
    job.python = checkouts.interpreter(folder, root=root)
    return folder


def _restore(stages: Sequence[str], folder: Path, python: Path) -> None:
    """Get what other combinations made out of DVC's run cache, or make it again where that lacks it."""
    command = [str(python), "-m", "dvc", "--wait-for-lock", "repro", *stages]
    with processes.session(command, folder, pipeline.environment(python), piped=True) as process:
        assert process.stdout is not None
        lines = [line.rstrip() for line in process.stdout]
        code = process.wait()
    if code:
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
        raise Stopped(trial.complaint(lines) or "; ".join(errors[-3:] or lines[-3:]))


def _keep(job: Job, folder: Path, name: str, hands: Hands, root: Path) -> None:
    """Keep the combination's commit if DVC has nothing to do there, and remove the worktree."""
    with DVC:
        pipeline.canonical_lock(folder, current=list(job.plan.stages))
    if changed := pipeline.status(folder, current=job.plan.stages):
        raise Stopped(f"DVC would still run {', '.join(changed)}: did something else change files?")
    commit = sweep_kept.keep(name, job.plan.combination, folder)
    with DVC:
        checkouts.remove(folder, root=root)
    hands.say(f"{job.name}: kept, {commit[:12]}")


def _note(
    work: Work, future: Future[None], made: set[str], faulty: dict[str, str], hands: Hands
) -> None:
    """Take down how a piece of work ended; raise what is nobody's fault, Ctrl-C among it."""
    job = work.job
    error = future.exception()
    if error is None:
        job.done |= {*work.stages}
        made |= {job.plan.keys[stage] for stage in work.stages}
        return
    if not isinstance(error, Stopped | ValueError | OSError | pipeline.Failed | pipeline.Locked):
        raise error
    stage = work.stages[0] if work.stages and not work.known else ""
    words = " ".join(str(error).split()).replace(f"{job.folder}/", "").replace(str(job.folder), ".")
    fault = f"{stage}: {words}" if stage else words
    if stage and isinstance(error, Stopped):
        faulty[job.plan.keys[stage]] = fault
    _fail(job, fault, hands)


def _give_up(job: Job, faulty: dict[str, str], hands: Hands) -> None:
    """Let a combination fail that needs a stage which failed elsewhere."""
    if not job.fault:
        for stage in job.plan.stages:
            if stage.name not in job.done and (fault := faulty.get(job.plan.keys[stage.name])):
                _fail(job, fault, hands)
                return


def _fail(job: Job, fault: str, hands: Hands) -> None:
    if not job.fault:
        job.fault = fault
        where = f"; kept for a look until the sweep runs again: {job.folder}" if job.folder else ""
        hands.say(f"{job.name} failed: {fault}{where}")
