"""versions: the registry of models as GTO keeps it, in annotated tags of git: read, never written here.

`<name>@v1.2.0` registers a version, `<name>#prod#3` is the third assignment of the stage prod; with a
`!` both are taken back (https://dvc.org/doc/gto/user-guide). The newest number counts, where GTO goes
by the date: who writes tags keeps both in the same order. What is read is what this clone knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flows import pipeline, repository

STAGE = "prod"
_NAME = "[a-zA-Z0-9](?:[a-zA-Z0-9_/-]*[a-zA-Z0-9])?"
_TAG = re.compile(
    rf"(?P<name>{_NAME})(?:@v(?P<version>\d+\.\d+\.\d+)|#(?P<stage>{_NAME}))"
    r"(?P<taken_back>!?)(?:#(?P<counter>\d+))?"
)


@dataclass(frozen=True, kw_only=True)
class Version:
    """A registered version of a model."""

    name: str
    number: str
    """such as v1.2.0"""
    tag: str
    """such as hospital@v1.2.0"""
    commit: str
    """all 40 digits"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A tag of the registry."""

    tag: str
    name: str
    version: tuple[int, ...] | None
    """(1, 2, 0) where the tag registers a version"""
    stage: str | None
    """where it assigns one to a stage"""
    taken_back: bool
    counter: int
    """0 without one"""
    commit: str | None
    """None for a tag without annotation, which GTO leaves out too"""
    seconds: int
    """of its date, since 1970; 0 without annotation"""


def check_name(name: str) -> None:
    """Raise ValueError for a name that GTO could not read."""
    if not re.fullmatch(_NAME, name):
        raise ValueError(
            f"{name!r} can't be the name of a model: letters, digits, _, - and / only, "
            "a letter or digit first and last"
        )


def entries(name: str | None = None, root: Path = pipeline.HERE) -> list[Entry]:
    """Return the registry's tags, of one name or of all, in the order of their numbers."""
    fields = "%00".join(
        ("%(refname:strip=2)", "%(*objecttype)", "%(*objectname)", "%(taggerdate:unix)")
    )
    found = []
    for line in repository.git("for-each-ref", f"--format={fields}", "refs/tags", root=root).split("\n"):  # fmt: skip
        tag, _, rest = line.partition("\0")
        entry = parse(tag)
        if entry and name in (None, entry["name"]):
            kind, commit, seconds = rest.split("\0")
            if kind == "tag":  # a tag of a tag, as `git tag -a <new> <old>` makes
                commit = repository.commit(tag, root=root)
            found.append(
                Entry(
                    tag=tag,
                    name=entry["name"],
                    version=_numbers(entry["version"]),
                    stage=entry["stage"],
                    taken_back=bool(entry["taken_back"]),
                    counter=int(entry["counter"] or 0),
                    commit=commit or None,
                    seconds=int(seconds or 0),
                )
            )
    return sorted(found, key=lambda entry: (entry.name, entry.counter, entry.version or (), entry.tag))  # fmt: skip


def parse(tag: str) -> re.Match[str] | None:
    """Return the parts of a registry's tag: name, version, stage, taken_back, counter; None for others."""
    return _TAG.fullmatch(tag)


def names(root: Path = pipeline.HERE) -> list[str]:
    """Return the names that have versions, sorted."""
    return sorted({entry.name for entry in entries(root=root) if entry.version})


def versions(name: str, root: Path = pipeline.HERE) -> list[Version]:
    """Return the registered versions of a name, the oldest number first."""
    found: dict[tuple[int, ...], Version] = {}
    for entry in entries(name, root):
        if entry.version is None or entry.commit is None:
            continue
        if entry.taken_back:
            found.pop(entry.version, None)
        else:
            number = _number(entry.version)
            found[entry.version] = Version(
                name=name, number=number, tag=entry.tag, commit=entry.commit
            )
    return [found[numbers] for numbers in sorted(found)]


def production(name: str, root: Path = pipeline.HERE) -> Version | None:
    """Return the version that is prod now, None without one.

    Raises ValueError if prod is a commit that no version names.
    """
    assigned: dict[str, Entry] = {}
    for entry in entries(name, root):
        if entry.stage != STAGE or entry.commit is None:
            continue
        assigned.pop(entry.commit, None)
        if not entry.taken_back:
            assigned[entry.commit] = entry  # the newest comes last
    if not assigned:
        return None
    newest = list(assigned.values())[-1]
    for version in versions(name, root):
        if version.commit == newest.commit:
            return version
    raise ValueError(
        f"{newest.tag} names commit {str(newest.commit)[:12]}, which is no registered version of {name}: "
        f"assign one by `python -m flows.rollback --name {name} --to <version>`"
    )


def next_number(name: str, root: Path = pipeline.HERE) -> str:
    """Return the number after the greatest one that any tag of the name ever had; v1.0.0 for the first."""
    known = [entry.version for entry in entries(name, root) if entry.version]
    if not known:
        return "v1.0.0"
    major, minor, _ = max(known)
    return _number((major, minor + 1, 0))


def next_counter(name: str, root: Path = pipeline.HERE) -> int:
    """Return the number of the next assignment; as GTO does, all stages of a name count together."""
    return 1 + max((entry.counter for entry in entries(name, root)), default=0)


def newest_date(name: str, root: Path = pipeline.HERE) -> int:
    """Return the latest date of the name's tags in seconds since 1970; 0 without any."""
    return max((entry.seconds for entry in entries(name, root)), default=0)


def find(name: str, number: str, root: Path = pipeline.HERE) -> Version:
    """Return the version called `v1.0.0`, `1.0.0` or `<name>@v1.0.0`; raise ValueError with those known."""
    known = versions(name, root)
    wanted = "v" + number.removeprefix(f"{name}@").removeprefix("v")
    for version in known:
        if version.number == wanted:
            return version
    raise ValueError(
        f"{name} has no version {number!r}: known are {_listed(version.number for version in known)}"
        if known
        else f"no version of {name!r} is registered: names with versions are {_listed(names(root))}"
    )


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"


def _numbers(text: str | None) -> tuple[int, ...] | None:
    return tuple(map(int, text.split("."))) if text else None


def _number(numbers: tuple[int, ...]) -> str:
    return "v" + ".".join(map(str, numbers))
