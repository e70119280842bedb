"""request: what a run is asked for (revision, study, single parameters), checked before it starts.

The model gives Prefect the schema by which a server refuses wrong parameters before there is a run.
What only the repository knows (the studies, the parameters) is checked before any stage starts.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from flows import files, layout, pipeline, study

_REVISION = r"^[A-Za-z0-9_][A-Za-z0-9._/@{}^~#-]*$"
_KEY = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_*-]+)*$"


class Wanted(BaseModel):
    """A run: without anything asked, this checkout as it is; else a worktree of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    revision: str | None = Field(
        default=None, pattern=_REVISION, description="commit, branch or tag to run; HEAD without it"
    )
    study: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9_]+$",
        description="a folder of studies/ to take parameters from",
    )
    overrides: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="single parameters, `transfer.recipes.searched.epochs: 3`",
        json_schema_extra={"propertyNames": {"pattern": _KEY}},
    )
    base: str = Field(
        default="HEAD", pattern=_REVISION, description="what the metrics are compared with"
    )

    def elsewhere(self) -> bool:
        """Tell whether the run needs a checkout of its own."""
        return bool(self.revision or self.study or self.overrides)


def write(wanted: Wanted, folder: Path, python: Path) -> None:
    """Write a checkout's params.yaml as wanted; raise ValueError that lists every fault."""
    if wanted.study:
        result = subprocess.run(
            [str(python), "-m", "flows.study", wanted.study],
            cwd=folder,
            env=pipeline.environment(python),
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise ValueError(result.stderr.strip())
    if wanted.overrides:
        path = folder / study.PARAMS_FILE
        text = path.read_text(encoding="utf-8")
        head = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
        tree = overridden(study.parse(text, where=str(study.PARAMS_FILE)), wanted.overrides)
        comments = folder / study.STUDIES / "defaults.yaml"
        files.write(path, layout.text(tree, head, comments=comments))


def overridden(tree: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of the parameters with some of them replaced; raise ValueError for unknown ones."""
    result: dict[str, Any] = json.loads(json.dumps(tree))
    faults = []
    for key, value in overrides.items():
        *where, last = key.split(".")
        node: Any = result
        for word in where:
            node = node.get(word) if isinstance(node, dict) else None
        if not isinstance(node, dict) or last not in node:
            known = ", ".join(node) if isinstance(node, dict) else "none"
            faults.append(f"overrides: {key} is unknown: known there are {known}")
        elif isinstance(node[last], dict) != isinstance(value, dict):
            kind = "a mapping" if isinstance(node[last], dict) else "no mapping"
            faults.append(f"overrides: {key} must be {kind}, not {layout.words(value)}")
        else:
            node[last] = value
    if faults:
        raise ValueError("\n".join(faults))
    return result
