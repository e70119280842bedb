"""Whether a worker of a cluster is fit: it must give the bytes that the calling process would give."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import Any

from cxr import numerics, scratch

PREPARED = Path("data/prepared")
_PIECE_BYTES = 65536


@functools.cache
def faults_here(wanted: str, *, threads: int) -> list[str]:
    """Say what is wrong with this worker; `wanted` is the JSON of the caller's facts."""
    return faults(facts(threads=threads), json.loads(wanted))


def faults(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Say what is wrong with a worker and what to do."""
    start = "start its workers again with `python -m cxr.cluster worker`"
    wrong = []
    if found["unpinned"]:
        wrong.append(f"lacks the exact profile ({', '.join(found['unpinned'])}): {start}")
    if found["threads"] != 1:
        wrong.append(f"has {found['threads']} threads, not 1: {start}")
    if found["code"] != wanted["code"]:
        wrong.append(f"works by other code ({found['code']}, not {wanted['code']}): check out the same commit there, then {start}")  # fmt: skip
    for name in sorted(wanted["versions"]):
        have, want = found["versions"].get(name), wanted["versions"][name]
        if have != want:
            wrong.append(f"has {name} {have}, not {want}: run `make setup` there")
    if wanted["prepared"] and found["prepared"] != wanted["prepared"]:
        seen = "other data than these" if found["prepared"] else "nothing"
        wrong.append(f"sees {seen} in {PREPARED}: copy or mount it into {found['folder']}")
    return wrong


def facts(*, threads: int) -> dict[str, Any]:
    """Return all about this process that decides its results."""
    return {
        "unpinned": numerics.unpinned(os.environ),
        "threads": threads,
        "code": _code(),
        "versions": _versions(),
        "prepared": _prepared(),
        "folder": str(Path.cwd()),
    }


@functools.cache
def _code() -> str:
    """Return the key of the code as it was when this was first asked: a worker loads none before.

    So a worker that was started before its code changed does not pass for one with the new code.
    """
    return scratch.key(code=("cxr", "stages"))


def _versions() -> dict[str, str | None]:
    """Return the installed version of Python and of each package that can change bytes."""
    lines = (scratch.ROOT / "numerics.lock").read_text(encoding="utf-8").split()
    found: dict[str, str | None] = {"Python": ".".join(map(str, sys.version_info[:3]))}
    for name in sorted(line.partition("==")[0] for line in lines):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def _prepared() -> str:
    """Return a fingerprint of data/prepared from names, sizes and three pieces of each file; "" if absent."""
    digest = hashlib.sha256()
    files = sorted(file for file in PREPARED.rglob("*") if file.is_file())
    for file in files:
        size = file.stat().st_size
        digest.update(f"{file.relative_to(PREPARED).as_posix()} {size}\n".encode())
        with file.open("rb") as stream:
            for place in (0, size // 2, max(0, size - _PIECE_BYTES)):
                stream.seek(place)
                digest.update(stream.read(_PIECE_BYTES))
    return digest.hexdigest()[:16] if files else ""
