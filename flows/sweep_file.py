"""sweep_file: what a sweep asks for: one study, and a grid or a list of other parameters; checked word by word.

    study: phantom
    by: auroc                                        # the table's order, the highest first
    grid:                                            # every choice with every other
      seed: [1, 2, 3]                                # a parameter: its values
      image:                                         # a name of your own: named choices, which set
        small: {preprocess.steps: [{name: resize, size_px: 64, fit: stretch}]}  # any parameters
        large: {preprocess.steps: [{name: resize, size_px: 96, fit: stretch}]}
    list:                                            # and these, one by one
      - {seed: 1, split.protocol: by_image}

The parameter `study` takes another study than the sweep's: other data, say. A combination is known by
the hash of what it sets, wherever in the file it stands and whatever its choices are called.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from flows import layout, study
from flows.request import Wanted

LIMIT = 1000
"""So many combinations at most: more is a slip of a list, or weeks."""
DIGITS = 12
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_OWN = "sweep"  # studies/<name>/sweep.yaml is called <name>

Overrides = dict[str, JsonValue]


class Sweep(BaseModel):
    """A sweep, as its file has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str = Field(default="", description="words for people")
    study: str = Field(pattern=r"^[a-z0-9_]+$", description="a folder of studies/")
    by: str = Field(
        default="auroc", pattern=r"^[a-z0-9_]+$", description="the metric that orders the table"
    )
    grid: dict[str, list[JsonValue] | dict[str, Overrides]] = Field(
        default_factory=dict,
        description="by parameter its values, or by a name of your own {choice: {parameter: value}}",
    )
    listed: list[Overrides] = Field(
        default_factory=list, alias="list", description="combinations beside those of the grid"
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.grid and not self.listed:
            raise ValueError("neither grid nor list names anything to vary")
        for axis, choices in self.grid.items():
            if not choices:
                raise ValueError(f"grid.{axis} is empty")
        return self


@dataclass(frozen=True, kw_only=True)
class Combination:
    """One run of a sweep."""

    name: str
    """hash of what it sets"""
    wanted: Wanted
    labels: Mapping[str, str]
    """what it sets, in words, by the columns of the table"""


def name_of(path: Path) -> str:
    """Return the name of the sweep in a file; raise ValueError if it can't be part of a ref."""
    name = path.resolve().parent.name if path.stem == _OWN else path.stem
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{path}: the sweep would be called {name!r}: rename the file with small letters, digits, _ and -"
        )
    return name


def read(path: Path) -> Sweep:
    """Return the sweep of a file; raise ValueError with a line for each fault."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: name the file of a sweep") from None
    try:
        return Sweep.model_validate(study.parse(text, where=str(path)))
    except ValidationError as error:
        lines = [f"{path}: {_said(fault)}" for fault in error.errors()]
        raise ValueError("\n".join(dict.fromkeys(lines))) from None


def _said(fault: Any) -> str:
    """Say a fault that pydantic found; of a value that may be one of several kinds, only where it is."""
    where = ".".join(str(word) for word in fault["loc"] if "[" not in str(word))
    return f"{where}: {fault['msg']}" if where else str(fault["msg"]).removeprefix("Value error, ")


def combinations(sweep: Sweep) -> list[Combination]:
    """Return what the grid and the list ask for, in the file's order; raise ValueError with every fault."""
    found: dict[str, Combination] = {}
    faults: list[str] = []
    for labels, pairs in itertools.islice(_asked(sweep), LIMIT + 1):
        words = ", ".join(f"{key} {value}" for key, value in labels.items())
        try:
            one = _combination(sweep.study, labels, pairs)
        except ValueError as error:
            faults += [f"{words}: {line}" for line in _lines(error)]
            continue
        if one.name in found:
            faults.append(f"{words}: asked for twice ({one.name})")
        found[one.name] = one
    if len(found) > LIMIT:
        raise ValueError(f"more than {LIMIT} combinations: cut the sweep into several")
    if faults:
        raise ValueError("\n".join(dict.fromkeys(faults)))
    return list(found.values())


def _asked(sweep: Sweep) -> Iterator[tuple[dict[str, str], list[tuple[str, JsonValue]]]]:
    """Yield each combination's words by column and what it sets, a key once for each time it is set."""
    axes = [
        [
            ({axis: choice}, list(pairs.items()))
            for choice, pairs in choices.items()
        ]
        if isinstance(choices, dict)
        else [({axis: layout.words(value)}, [(axis, value)]) for value in choices]
        for axis, choices in sweep.grid.items()
    ]  # fmt: skip
    for chosen in itertools.product(*axes) if axes else []:
        labels = {column: words for choice, _ in chosen for column, words in choice.items()}
        yield labels, [pair for _, pairs in chosen for pair in pairs]
    for entry in sweep.listed:
        yield {key: layout.words(value) for key, value in entry.items()}, list(entry.items())


def _combination(
    base: str, labels: Mapping[str, str], pairs: list[tuple[str, JsonValue]]
) -> Combination:
    for one, other in itertools.combinations(sorted(key for key, _ in pairs), 2):
        if one == other or other.startswith(f"{one}."):
            raise ValueError(f"{other} is set twice{f', by {one} too' if one != other else ''}")
    overrides = dict(pairs)
    try:
        text = json.dumps({"study": base, **overrides}, sort_keys=True, allow_nan=False)
    except ValueError:
        raise ValueError("not every number is finite") from None
    wanted = Wanted.model_validate({"study": overrides.pop("study", base), "overrides": overrides})
    return Combination(
        name=hashlib.sha256(text.encode()).hexdigest()[:DIGITS], wanted=wanted, labels=labels
    )


def _lines(error: ValueError) -> list[str]:
    """Return what is wrong, a line for each."""
    if isinstance(error, ValidationError):
        return [_said(fault) for fault in error.errors()]
    return str(error).splitlines()
