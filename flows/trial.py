"""trial: one arrival's way through a worktree, from its files to a verdict; nothing is decided for good here.

The data come in as `data/raw/<dataset>/<arrival>/`; their reader and the stages up to the division
look at them first. What they refuse is quarantined; any other failure is no fault of the data and is
raised. Then the division is pinned, so that no image ever changes its part, the champion's results are
put beside the challenger's, and every other stage runs, `gate` among them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from flows import (
    assignments,
    champion,
    checkouts,
    data,
    delivery,
    ledger,
    openings,
    pipeline,
    study,
)
from flows.inbox import SETTLE_S
from flows.registry import Version

FINDINGS = "reports/validate/plots/findings.csv"
_COMPLAINT = re.compile(r"[a-z_]+(@\S+)?: error: (.*)")
# what a stage says when the machine is at fault: its disk, its rights
_OURS = ("No space left", "no space left", "free some", "Permission denied", "for this user")
_OUTCOMES = {"promote": "promoted", "reject": "rejected", "undecided": "undecided"}


class Wanted(BaseModel):
    """A retraining: which inbox, for which study, on which branch of the remote."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inbox: Path = Field(description="the folder where data arrive; what was taken moves beside it")
    study: str = Field(pattern=r"^[a-z0-9_]+$", description="a folder of studies/ with gate.models")
    dataset: str = Field(
        default="table", pattern=r"^[a-z0-9_]+$",
        description="the data set that grows: a reader of cxr/datasets",
    )  # fmt: skip
    branch: str = Field(
        default="main", pattern=r"^[A-Za-z0-9_][A-Za-z0-9._/-]*$",
        description="branch of the remote `origin` that results are pushed to",
    )  # fmt: skip
    manifest: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$",
        description="take only the arrival of this hash (`python -m flows.inbox`), at once",
    )  # fmt: skip
    settle_s: float = Field(
        default=SETTLE_S, ge=0, description="seconds without a change until data are whole"
    )


@dataclass(frozen=True, kw_only=True)
class Hands:
    """Who does the work: Prefect's tasks, or plain calls."""

    stage: Callable[[str, Path, Path, Callable[[str], None]], str]
    """run one stage, of a checkout, by a Python, its lines to a function"""
    stages: Callable[[Sequence[pipeline.Stage], Path, Path], None]
    """run all stages; raise what went wrong first"""
    remote: Callable[..., Any]
    """call a function that asks a remote, and again while it does not answer"""
    say: Callable[[str], None]
    tell: Callable[[str, Mapping[str, str], Mapping[str, str]], None]
    """let the server know of an event, with its facts and tables"""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What came of a trial."""

    outcome: str
    """promoted, rejected, undecided or quarantined"""
    reason: str
    acceptance: str = ""
    """digits of the list that was opened, empty where none was"""
    tables: dict[str, str] = field(default_factory=dict)
    """what was found, texts by file name"""


class Unfit(ValueError):
    """The data are at fault; `findings` is the table of validate, empty where it made none."""

    def __init__(self, words: str, findings: str = "") -> None:
        super().__init__(words)
        self.findings = findings


def judge(
    name: str, source: Path, wanted: Wanted, folder: Path, python: Path,
    *, best: Version | None, hands: Hands,
) -> Judged:  # fmt: skip
    """Return what becomes of the data in `source` that arrived as `name`; all is left in the worktree.

    `best` is the champion, None while there is none. Raises Unreachable, Locked, Failed or ValueError
    for what is no fault of the data.
    """
    try:
        admit(name, source, wanted, folder, python)
        study.pin(wanted.study, {"validate.arrival": f"{wanted.dataset}/{name}"}, root=folder)
        check_study(wanted, folder)
        champion.announce(folder, best=best, times=1)
        checkouts.preflight(folder, python)
        for path in pipeline.forget_removed_runs(folder):
            hands.say(f"removed {path}: no stage writes it any more")
        check(folder, python, hands)
    except Unfit as error:
        tables = {"findings.csv": error.findings} if error.findings else {}
        return Judged(outcome="quarantined", reason=str(error), tables=tables)
    keep_division(wanted.study, folder, python, hands)
    if not (folder / champion.acceptance(wanted.study)).exists():
        if best is not None:
            raise ValueError(
                f"{champion.acceptance(wanted.study)} is missing, though {best.tag} was judged by it: "
                "take it back from git"
            )
        champion.freeze(wanted.study, folder)
    digits = champion.digits(wanted.study, folder)
    times = 1 + ledger.openings(ledger.read(folder), digits)
    champion.bring(wanted.study, folder, best=best, times=times)
    run_all(folder, python, hands)
    verdict, reason, text = champion.read_verdict(folder)
    tables = {} if verdict == "promote" else {"verdict.json": text}
    return Judged(outcome=_OUTCOMES[verdict], reason=reason, acceptance=digits, tables=tables)


def admit(name: str, source: Path, wanted: Wanted, folder: Path, python: Path) -> None:
    """Copy an arrival into the worktree's data set and let DVC take note of it.

    Raises Unfit where its reader refuses it, ValueError where its name is taken or the disk too small.
    """
    raw = data.RAW / wanted.dataset
    target = folder / raw / name
    if target.exists():
        raise ValueError(f"{raw / name} is there already, with other data: rename the arrival")
    try:
        delivery.files(source)
        survey(wanted.dataset, source, folder, python)
    except ValueError as error:
        raise Unfit(str(error)) from None
    delivery.bring(name, source, target, lambda at: survey(wanted.dataset, at, folder, python))
    pipeline.add(raw.as_posix(), folder)


def survey(dataset: str, source: Path, folder: Path, python: Path) -> dict[str, Any]:
    """Let the worktree's reader read `source`; return its `words` and `digest`, raise ValueError."""
    words = ["--dataset", dataset, "--folder", str(source.resolve()), "--json"]
    result = subprocess.run(
        [str(python), "-m", "stages", *words],
        cwd=folder,
        env=pipeline.environment(python),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        lines = result.stderr.strip().splitlines()
        if not lines or not lines[0].startswith("error: "):  # a traceback: a fault of ours
            raise pipeline.Failed(f"the reader of {dataset} broke: {' '.join(lines[-1:])}")
        raise ValueError(" ".join(lines).removeprefix("error: "))
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def check_study(wanted: Wanted, folder: Path) -> None:
    """Raise ValueError unless the study has a challenger and learns from the data set that grows."""
    text = (folder / study.PARAMS_FILE).read_text(encoding="utf-8")
    champion.challenger(text)
    read = study.parse(text, where=str(study.PARAMS_FILE)).get("ingest", {}).get("datasets", [])
    if wanted.dataset not in read:
        raise ValueError(
            f"study {wanted.study} does not read the data set {wanted.dataset}, but {', '.join(read)}: "
            "add it to ingest.datasets"
        )


def check(folder: Path, python: Path, hands: Hands) -> None:
    """Run the stages up to the division of the images, one after the other; raise Unfit if one refuses."""
    for stage in openings.dividing(pipeline.graph(folder)):
        _check_one(stage, folder, python, hands)


def _check_one(stage: pipeline.Stage, folder: Path, python: Path, hands: Hands) -> None:
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        hands.say(line)

    try:
        hands.stage(stage.name, folder, python, hear)
    except pipeline.Unreachable:
        raise
    except pipeline.Failed:
        words = complaint(lines)
        if words is None or any(sign in words for sign in _OURS):
            raise
        wrote = any(Path(out) in Path(FINDINGS).parents for out in stage.outs)
        path = folder / FINDINGS
        table = path.read_text(encoding="utf-8") if wrote and path.exists() else ""
        raise Unfit(f"{stage.name}: {words}", table) from None


def complaint(lines: Sequence[str]) -> str | None:
    """Return what a stage said when it refused; None where it broke and left a traceback."""
    for place, line in enumerate(lines):
        if found := _COMPLAINT.fullmatch(line):
            rest = (x for x in lines[place + 1 :] if x.strip() and not x.startswith("ERROR"))
            return " ".join([found[2], *rest])
    return None


def keep_division(name: str, folder: Path, python: Path, hands: Hands) -> None:
    """Pin the division that the worktree has, and divide once more by the pins; raise Failed if that moves any image."""
    before = (folder / openings.SPLITS).read_bytes()
    assignments.pin(name, root=folder)
    _check_one(openings.dividing(pipeline.graph(folder))[-1], folder, python, hands)
    if (folder / openings.SPLITS).read_bytes() != before:
        raise pipeline.Failed(
            f"{openings.SPLITS} changes when {assignments.path(name)} pins it: compare both in {folder}"
        )


def run_all(folder: Path, python: Path, hands: Hands) -> None:
    """Run every stage of the worktree; raise Failed unless a plain `dvc repro` then has nothing to do."""
    current = pipeline.graph(folder)
    hands.stages(current, folder, python)
    pipeline.canonical_lock(folder, current=current)
    if changed := pipeline.status(folder, current=current):
        raise pipeline.Failed(
            f"DVC would still run {', '.join(changed)} in {folder}: did something else change it?"
        )


def plain() -> Hands:
    """Return hands that need no Prefect: one stage after the other, no remote is asked twice."""
    return Hands(
        stage=lambda stage, folder, python, hear: pipeline.run(
            stage, root=folder, python=python, say=hear
        ),
        stages=lambda current, folder, python: pipeline.repro(root=folder, python=python),
        remote=lambda function, *arguments, **named: function(*arguments, **named),
        say=lambda line: print(line, file=sys.stderr, flush=True),
        tell=lambda event, facts, tables: None,
    )
