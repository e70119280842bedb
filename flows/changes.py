"""changes: which stages of two lock files differ, and because of what: its own cause, or what came before.

A stage's own cause is code, a parameter, raw data, a version or its declaration in dvc.yaml. One that
only reads what another stage now writes otherwise has none of its own: it follows. What is compared are
lock entries, so the lock files must be of the code they stand beside: `sides.stale` tells where one is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows import lock
from flows.sides import MADE, Side, md5s, some

_LONG = 60  # characters of a value that are shown


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why a stage is another of its own accord."""

    kind: str
    """code, parameter, data, versions, pipeline or unexplained"""
    what: str
    """the path or the parameter"""
    words: str


@dataclass(kw_only=True)
class Change:
    """A stage whose lock entry is another, or which only one of two lock files has."""

    stage: str
    kind: str
    """changed, new or gone"""
    direct: list[Cause]
    upstream: list[str]
    """changed stages whose outputs it reads"""
    after: list[str] = field(default_factory=list)
    """those stages with a cause of their own that it follows, however far before it"""
    outputs: list[str] = field(default_factory=list)
    """what it writes otherwise than before"""


def compare(base: Side, head: Side, *, files: Collection[str] = ()) -> list[Change]:
    """Return the stages that differ, in the order of the newer lock file, those that are gone last.

    `files` are paths that differ between the two commits: they tell what is new inside a folder.
    """
    names = [*head.entries, *(name for name in base.entries if name not in head.entries)]
    wrote = {name: _written(base, head, name) for name in names}
    found: dict[str, Change] = {}
    for name in names:
        old, new = base.entries.get(name), head.entries.get(name)
        if old is None or new is None:
            kind = "new" if old is None else "gone"
            found[name] = Change(
                stage=name, kind=kind, direct=[_listed(name, base, head)], upstream=[]
            )
        elif old != new:
            found[name] = _changed(name, base, head, wrote, files)
    for change in found.values():
        change.after = [name for name in names if name in _roots(change, found)]
        change.outputs = [
            path for path, (old, new) in wrote[change.stage].items() if old and new and old != new
        ]
    return list(found.values())


def flat(tree: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Return {dotted name: value} of every single value and list."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        inner = f"{where}.{name}" if where else str(name)
        if isinstance(value, Mapping) and value:
            found |= flat(value, inner)
        else:
            found[inner] = value
    return found


def _changed(
    name: str,
    base: Side,
    head: Side,
    wrote: Mapping[str, Mapping[str, tuple[str, str]]],
    files: Collection[str],
) -> Change:
    """Return why a stage that both lock files have is another."""
    old, new = base.entries[name], head.entries[name]
    direct: list[Cause] = []
    upstream: list[str] = []
    before, after = md5s(old, "deps"), md5s(new, "deps")
    for path in [*after, *(path for path in before if path not in after)]:
        if before.get(path) == after.get(path):
            continue
        writers = [other for other in wrote if _touches(wrote[other], path)]
        moved = [other for other in writers if _differs(wrote[other], path)]
        if path not in before or path not in after:
            direct.append(_read_otherwise(path, now=path in after, made=bool(writers)))
        elif moved:
            upstream += [other for other in moved if other not in upstream]
        else:
            direct.append(_dependency(path, files, old, new, made=bool(writers)))
    direct += _parameter_causes(
        _parameters(old), _parameters(new), flat(base.params), flat(head.params)
    )
    if old.get("cmd") != new.get("cmd"):
        words = f"its command is now `{new.get('cmd')}`"
        direct.append(Cause(kind="pipeline", what="dvc.yaml", words=words))
    if not direct and not upstream:
        words = "reads what it read before and wrote something else: run `make verify`"
        direct.append(Cause(kind="unexplained", what=name, words=words))
    return Change(stage=name, kind="changed", direct=direct, upstream=upstream)


def _read_otherwise(path: str, *, now: bool, made: bool) -> Cause:
    """Say that a stage reads something that it did not read, or the other way round."""
    words = f"{path} is {'now' if now else 'no longer'} among what it reads"
    return Cause(kind="pipeline" if made else _kind(path), what=path, words=words)


def _dependency(
    path: str, files: Collection[str], old: Mapping[str, Any], new: Mapping[str, Any], *, made: bool
) -> Cause:
    """Say what of a code file, a folder, a version or raw data is another."""
    kind = "unexplained" if made else _kind(path)
    if made:
        words = f"{path} is another, though the stage that writes it wrote the same"
    elif kind == "data":
        before, after = (_size(entry, path) for entry in (old, new))
        words = f"{path} holds other data ({before} → {after})"
    else:
        inside = sorted(file for file in files if file.startswith(f"{path}/"))
        words = f"{path}{f' ({some([x[len(path) + 1 :] for x in inside])})' if inside else ''}"
    return Cause(kind=kind, what=path, words=words)


def _kind(path: str) -> str:
    if path == lock.NUMERICS.as_posix():
        return "versions"
    return "data" if path.startswith(MADE) else "code"


def _parameter_causes(
    old: Mapping[str, Any], new: Mapping[str, Any], base: Mapping[str, Any], head: Mapping[str, Any]
) -> Iterator[Cause]:
    """Say which of a stage's parameters are others, `base` and `head` being all that params.yaml holds."""
    for key in [*new, *(key for key in old if key not in new)]:
        if key in old and key in new:
            if old[key] != new[key]:
                yield Cause(kind="parameter", what=key, words=f"{key}: {_moved(old[key], new[key])}")  # fmt: skip
        elif key in base and key in head:
            words = f"{key} is {'now' if key in new else 'no longer'} among its parameters"
            yield Cause(kind="pipeline", what=key, words=words)
        else:
            sides = [_shown(side[key]) if key in side else "not there" for side in (old, new)]
            yield Cause(kind="parameter", what=key, words=f"{key}: {' → '.join(sides)}")


def _moved(old: Any, new: Any) -> str:
    """Say how a value went over into another; of lists only what came and went, if that says all."""
    if isinstance(old, list) and isinstance(new, list):
        came, went = ([x for x in a if x not in b] for a, b in ((new, old), (old, new)))
        words = [f"with {_shown(x)}" for x in came] + [f"without {_shown(x)}" for x in went]
        return some(words) if words else "in another order"
    return f"{_shown(old)} → {_shown(new)}"


def _listed(name: str, base: Side, head: Side) -> Cause:
    """Say why only one side has a stage: dvc.yaml, or the parameters that list its items."""
    stage = name.partition("@")[0]
    has = [stage in side.declared for side in (base, head)]
    if has[0] != has[1]:
        words = f"dvc.yaml {'has it now' if has[1] else 'has it no longer'}"
        return Cause(kind="pipeline", what="dvc.yaml", words=words)
    matrix = (head.declared.get(stage) or {}).get("matrix") or {}
    lists = [word for value in matrix.values() for word in re.findall(r"\$\{([^}]+)\}", str(value))]
    old, new = flat(base.params), flat(head.params)
    for key in lists:
        if old.get(key) != new.get(key):
            words = f"{key}: {_moved(old.get(key), new.get(key))}"
            return Cause(kind="parameter", what=key, words=words)
    return Cause(kind="unexplained", what="dvc.lock", words="dvc.lock alone tells: nothing lists it otherwise than before")  # fmt: skip


def _written(base: Side, head: Side, name: str) -> dict[str, tuple[str, str]]:
    """Return {output: (hash before, hash now)} of a stage; empty where a side lacks it."""
    old, new = (md5s(side.entries.get(name) or {}, "outs") for side in (base, head))
    return {path: (old.get(path, ""), new.get(path, "")) for path in {**new, **old}}


def _touches(outputs: Mapping[str, tuple[str, str]], path: str) -> bool:
    return any(_overlap(path, out) for out in outputs)


def _differs(outputs: Mapping[str, tuple[str, str]], path: str) -> bool:
    return any(_overlap(path, out) and old != new for out, (old, new) in outputs.items())


def _roots(change: Change, found: Mapping[str, Change]) -> set[str]:
    """Return the stages with a cause of their own from which a change came down to this one."""
    seen: set[str] = set()
    waiting = [*change.upstream]
    while waiting:
        name = waiting.pop()
        if name not in seen and name in found:
            seen.add(name)
            waiting += found[name].upstream
    return {name for name in seen if found[name].direct}


def _parameters(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return {dotted name: value} of what a lock entry says of params.yaml."""
    return flat((entry.get("params") or {}).get("params.yaml") or {})


def _size(entry: Mapping[str, Any], path: str) -> str:
    """Say a dependency's hash in short, and how many files it has."""
    (found,) = [dep for dep in entry["deps"] if dep["path"] == path]
    files = f", {found['nfiles']} files" if "nfiles" in found else ""
    return f"{found.get('md5', '')[:8]}{files}"


def _shown(value: Any) -> str:
    """Return a value in one short line."""
    words = json.dumps(value, ensure_ascii=False, default=str)
    return words if len(words) <= _LONG else f"{words[: _LONG - 1]}…"


def _overlap(one: str, other: str) -> bool:
    return Path(one).is_relative_to(other) or Path(other).is_relative_to(one)
