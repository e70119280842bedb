"""causes: why a commit's results did not come again, told from what can be compared.

The looks are taken one after the other, the cheap ones first; the first that finds something names
the likely cause: data, code, environment, profile, hardware, or the record itself. What was not looked
at, since it could not be or since a look before it told enough, is said with it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import lock, pipeline, processes, record
from flows.differences import Difference

DOCTOR = Path("cxr/doctor.py")
_VERSIONS = """\
import importlib.metadata, json, sys
print(json.dumps({x.metadata["Name"].lower().replace("_", "-"): x.version for x in importlib.metadata.distributions()}))
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What did not come again, in the clean clone where it was tried."""

    clone: Path
    python: Path
    lock: str
    """text of the recorded dvc.lock"""
    difference: Difference
    """the first one, or the stage that failed"""
    failed: bool
    """whether the stage failed, so that there is nothing to compare"""
    processor: str | None
    """what the record says it was made on; None where none says"""
    say: Callable[[str], None] = print


@dataclass(frozen=True, kw_only=True)
class Cause:
    """What is the likely cause, and what that rests upon."""

    kind: str
    """data, code, environment, profile, hardware or record"""
    words: str
    unseen: tuple[str, ...]
    """what was not looked at, each with the reason"""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a look found: a kind of cause; or no kind, and words only if it could not look."""

    kind: str = ""
    words: str = ""


def likely(case: Case) -> Cause:
    """Return the likely cause."""
    unseen: list[str] = []
    fine: list[str] = []
    looks = list(LOOKS.items())
    for place, (name, look) in enumerate(looks, 1):
        seen = look(case)
        if seen.kind:
            later = [f"{other} (not needed)" for other, _ in looks[place:]]
            return Cause(kind=seen.kind, words=seen.words, unseen=(*unseen, *later))
        if seen.words:
            unseen.append(f"{name} ({seen.words})")
        else:
            fine.append(name)
    if case.failed:
        kind, words = "environment", "so memory, disk or another program may have ended the stage"
    else:
        kind, words = "record", "so the recorded hash itself is in doubt"
    return Cause(
        kind=kind, words=f"no fault found in: {', '.join(fine)}; {words}", unseen=tuple(unseen)
    )


def raw_data(case: Case) -> Seen:
    """Compare the hashes of raw data that stages read here with those that the lock file names."""
    made = pipeline.read_lock(case.clone)
    for name, entry in pipeline.parse_lock(case.lock).items():
        here = _md5s(made.get(name, {}))
        for path, md5 in _md5s(entry).items():
            if path.startswith("data/raw/") and here.get(path, md5) != md5:
                words = (
                    f"{name} read another {path} than recorded (recorded {md5}, here {here[path]})"
                )
                return Seen(kind="data", words=words)
    return Seen()


def entries(case: Case) -> Seen:
    """Ask whether the lock entry is of the commit's own code, parameters and versions."""
    line = case.difference.line if case.difference.stale else _altered_code(case)
    if not line:
        return Seen()
    kind = "environment" if str(lock.NUMERICS) in line else "code"
    return Seen(
        kind=kind, words=f"it was recorded with something else than the commit holds: {line}"
    )


def _altered_code(case: Case) -> str:
    """Name files whose hash in the entry of the stage is not that of the commit's file."""
    entry = pipeline.parse_lock(case.lock).get(case.difference.stage, {})
    found = []
    for path, md5 in _md5s(entry).items():
        file = case.clone / path
        if path.startswith(("data/", "reports/")) or not file.is_file():
            continue
        if hashlib.md5(file.read_bytes()).hexdigest() != md5:  # noqa: S324
            found.append(path)
    return f"{case.difference.stage}: another {', '.join(sorted(found))}" if found else ""


def installed(case: Case) -> Seen:
    """Compare what is installed with the versions of the commit that can change a byte."""
    path = case.clone / lock.REQUIREMENTS
    if not path.exists():
        return Seen(words=f"the commit has no {lock.REQUIREMENTS}")
    code, text = _ask(case, "-c", _VERSIONS)
    if code:
        return Seen(words=f"{case.python} does not start")
    here: dict[str, str] = json.loads(text)
    wrong = []
    for line in lock.numerics(path.read_text(encoding="utf-8")).splitlines():
        name, _, version = line.partition("==")
        found = here.get(name, "none").partition("+")[0]
        if found != version:
            wrong.append(f"{name} {found} instead of {version}")
    return Seen(kind="environment", words=f"installed: {', '.join(wrong)}") if wrong else Seen()


def committed(case: Case) -> Seen:
    """Ask whether the run made what dvc.lock names, while the committed file is another."""
    stage = case.difference.stage
    if case.failed:
        return Seen(words="the stage failed")
    old, new = (
        pipeline.parse_lock(case.lock).get(stage, {}),
        pipeline.read_lock(case.clone).get(stage, {}),
    )
    if old.get("outs") != new.get("outs"):
        return Seen()
    words = "what was made is as dvc.lock says: the committed file was changed after the run"
    return Seen(kind="record", words=words)


def second_run(case: Case) -> Seen:
    """Run the stage once more: bytes that differ between two runs here are the code's own doing."""
    if case.failed:
        return Seen(words="the stage failed")
    stage, path = case.difference.stage, case.clone / pipeline.LOCK_FILE
    kept = path.read_text(encoding="utf-8")
    first = pipeline.read_lock(case.clone)[stage]["outs"]
    path.unlink()  # without an entry and without DVC's memory of runs it has to run
    shutil.rmtree(case.clone / ".dvc/cache/runs", ignore_errors=True)
    try:
        pipeline.run(stage, root=case.clone, python=case.python, say=case.say)
        again = pipeline.read_lock(case.clone)[stage]["outs"]
    except pipeline.Failed as error:
        return Seen(kind="code", words=f"a second run of {stage} failed: {error}")
    finally:
        path.write_text(kept, encoding="utf-8")
    other = [new["path"] for old, new in zip(first, again, strict=True) if old != new]
    if not other:
        return Seen()
    words = f"two runs of {stage} on this machine gave other bytes in {', '.join(other)}"
    return Seen(kind="code", words=f"{words}: chance or time enters that no seed decides")


def probes(case: Case) -> Seen:
    """Ask the commit's doctor whether this machine computes as those of the class do."""
    if not (case.clone / DOCTOR).exists():
        return Seen(words=f"the commit has no {DOCTOR}")
    code, text = _ask(case, "-m", "cxr.doctor")
    wrong = [line.split()[0] for line in text.splitlines() if line.endswith("DIFFERS")]
    if wrong:
        same = case.processor == record.processor()
        words = f"other results than the class in {', '.join(wrong)}, on {record.processor()}"
        return Seen(kind="profile" if same else "hardware", words=words)
    return Seen(words="it failed") if code else Seen()


def processors(case: Case) -> Seen:
    """Compare this machine's processor with the recorded one."""
    if case.processor is None:
        return Seen(words="no record says which it was")
    if case.processor == record.processor():
        return Seen()
    words = f"recorded on {case.processor}, here {record.processor()}"
    return Seen(kind="hardware", words=words)


LOOKS: Mapping[str, Callable[[Case], Seen]] = {
    "raw data": raw_data,
    "code and parameters": entries,
    "installed versions": installed,
    "committed files": committed,
    "a second run": second_run,
    "the doctor's probes": probes,
    "the processor": processors,
}


def _md5s(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return {path: md5} of what a lock entry says was read."""
    return {dep["path"]: dep["md5"] for dep in entry.get("deps", []) if "md5" in dep}


def _ask(case: Case, *words: str) -> tuple[int, str]:
    """Run the clone's Python; return its exit code and what it said."""
    command = [str(case.python), *words]
    environment = pipeline.environment(case.python)
    with processes.session(command, case.clone, environment, piped=True) as process:
        assert process.stdout is not None
        text = process.stdout.read()
        return process.wait(), text
