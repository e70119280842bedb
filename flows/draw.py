"""draw: which committed results there are, and which of them an audit takes.

Chance decides, keyed by a seed, and what was longest not audited comes up soonest.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows import pipeline, repository, versions

_RECORD = "/record/record.json"


@dataclass(frozen=True, kw_only=True)
class Combination:
    """Committed code, parameters and results."""

    name: str
    """HEAD, `record <study>`, or a version's tag"""
    revision: str
    """the commit that holds the results"""
    study: str | None = None
    """whose record it is"""


def combinations(revision: str = "HEAD", *, root: Path = pipeline.HERE) -> list[Combination]:
    """Return everything that could be audited: a revision, its records, and all registered versions."""
    commit = repository.commit(revision, root=root)
    found = [Combination(name="HEAD", revision=commit)]
    words = repository.git("ls-tree", "-r", "-z", "--name-only", commit, "studies/", root=root)
    for path in words.split("\0"):
        if path.endswith(_RECORD):
            study = Path(path).parts[1]
            found.append(Combination(name=f"record {study}", revision=commit, study=study))
    for name in versions.names(root):
        for version in versions.versions(name, root):
            found.append(Combination(name=version.tag, revision=version.commit))
    return found


def weights(names: Sequence[str], past: Sequence[str]) -> dict[str, int]:
    """Return for each name one more than the audits since its own; `past` is their names in order."""
    newest_first = list(reversed(past))
    return {
        name: 1 + (newest_first.index(name) if name in newest_first else len(newest_first))
        for name in names
    }


def order(chances: Mapping[str, int], seed: str) -> list[str]:
    """Return the names in a random order, the heavy ones sooner: the first n are a weighted sample.

    By keys log(u) / weight with u of each name's own (Efraimidis & Spirakis 2006), so that a new name
    leaves the keys of the others.
    """

    def key(name: str) -> float:
        digest = hashlib.sha256(f"{seed} {name}".encode()).digest()[:8]
        return math.log((int.from_bytes(digest, "big") + 1) / 2**64) / chances[name]

    return sorted(chances, key=lambda name: (-key(name), name))
