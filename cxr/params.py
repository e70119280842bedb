"""A section of params.yaml as a stage's frozen dataclass, strictly: no unknown, missing or mistyped key.

Read with ruamel.yaml, as DVC does: in YAML 1.2 `1e-3` is a number (PyYAML would make it a word).
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

PARAMS_FILE = Path("params.yaml")
T = TypeVar("T")


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping (safe types only); raise ValueError that names file and line."""
    from ruamel.yaml import YAML, YAMLError

    try:
        tree = YAML(typ="safe", pure=True).load(path)
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: run `make study STUDY=phantom`") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise ValueError(f"{path} must hold a mapping, not {type(tree).__name__}")
    return tree


def value(section: str, *, path: Path = PARAMS_FILE) -> Any:
    """Return what stands at the dotted `section` of params.yaml; raise ValueError if nothing does."""
    node: Any = read_yaml(path)
    for word in section.split("."):
        if not isinstance(node, dict) or word not in node:
            known = ", ".join(map(str, node)) if isinstance(node, dict) else "nothing"
            raise ValueError(f"{path}: {section} is missing ({word!r} not among: {known})")
        node = node[word]
    return node


def hint(section: str, *, path: Path = PARAMS_FILE) -> Any:
    """Return what stands at `section`, None if nothing does: for what saves work and decides no output.

    So it is no parameter of the stage in dvc.yaml; a stage that uses it has a test that proves it.
    """
    try:
        return value(section, path=path)
    except ValueError:
        return None


def load(record: type[T], section: str, *, path: Path = PARAMS_FILE) -> T:
    """Read `section` of params.yaml into `record`; raise one ValueError that lists every fault."""
    return build(record, value(section, path=path), where=f"{path}: {section}")


def seed(*, path: Path = PARAMS_FILE) -> int:
    """Return the study's one seed."""
    faults: list[str] = []
    found = _convert(int, value("seed", path=path), f"{path}: seed", faults)
    if faults:
        raise ValueError(faults[0])
    return found


def build(record: type[T], tree: Any, *, where: str) -> T:
    """Make `record` from a mapping; raise one ValueError that lists every fault, one a line."""
    faults: list[str] = []
    result = _build(record, tree, where, faults)
    if faults:
        raise ValueError("\n".join(faults))
    return typing.cast(T, result)


@functools.cache  # resolving them takes longer than all the rest of reading a record
def _hints(record: Any) -> dict[str, Any]:
    """Return a record's types by field."""
    return typing.get_type_hints(record)


def _build(record: type[T], tree: Any, where: str, faults: list[str]) -> T | None:
    if not isinstance(tree, Mapping):
        faults.append(f"{where} must be a mapping, not {tree!r}")
        return None
    fields = {field.name: field for field in dataclasses.fields(record)}  # type: ignore[arg-type]
    for name in tree:
        if name not in fields:
            faults.append(f"{where}.{name} is unknown: known are {', '.join(fields)}")
    hints = _hints(record)  # type: ignore[arg-type]
    before = len(faults)
    values = {}
    for name in fields:
        if name in tree:
            values[name] = _convert(hints[name], tree[name], f"{where}.{name}", faults)
        else:
            faults.append(f"{where}.{name} is missing: expected {_words(hints[name])}")
    if len(faults) > before:
        return None
    try:
        return record(**values)
    except ValueError as error:
        faults.append(f"{where}: {error}")
        return None


def _convert(kind: Any, found: Any, where: str, faults: list[str]) -> Any:
    """Convert one YAML value to the annotated type, noting a fault instead of guessing."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _build(typing.cast(type, kind), found, where, faults)
    if origin in (Union, types.UnionType):
        if found is None and type(None) in arguments:
            return None
        return _convert_union(kind, found, where, faults)
    if origin is Literal and any(found == x and type(found) is type(x) for x in arguments):
        return found
    if origin in (list, tuple) and isinstance(found, list) and _length_fits(kind, found):
        kinds = arguments if _fixed(kind) else [arguments[0]] * len(found)
        pairs = enumerate(zip(kinds, found, strict=True))
        items = [_convert(part, x, f"{where}[{i}]", faults) for i, (part, x) in pairs]
        return tuple(items) if origin is tuple else items
    if origin is dict and isinstance(found, Mapping):
        result = {}
        for name, x in found.items():
            word = _convert(arguments[0], name, f"{where}: the key {name!r}", faults)
            result[word] = _convert(arguments[1], x, f"{where}.{name}", faults)
        return result
    if kind is Any:
        return found
    if kind is float and type(found) in (int, float) and abs(found) < math.inf:
        return float(found)
    if kind in (int, str, bool) and type(found) is kind:
        return found
    faults.append(f"{where} must be {_words(kind)}, not {found!r}")
    return None


def _convert_union(kind: Any, found: Any, where: str, faults: list[str]) -> Any:
    """Convert to the first option that takes the value; the only one it can mean tells its own faults."""
    options = [option for option in typing.get_args(kind) if option is not type(None)]
    records = [option for option in options if dataclasses.is_dataclass(option)]
    meant = records if isinstance(found, Mapping) and records else options
    if len(meant) == 1:
        return _convert(meant[0], found, where, faults)
    for option in options:
        tried: list[str] = []
        result = _convert(option, found, where, tried)
        if not tried:
            return result
    faults.append(f"{where} must be {_words(kind)}, not {found!r}")
    return None


def _fixed(kind: Any) -> bool:
    """Tell whether a type is a tuple of fixed length."""
    return typing.get_origin(kind) is tuple and typing.get_args(kind)[-1] is not Ellipsis


def _length_fits(kind: Any, found: list[Any]) -> bool:
    return not _fixed(kind) or len(found) == len(typing.get_args(kind))


def _words(kind: Any) -> str:
    """Say a type as a person would."""
    if typing.get_origin(kind) is Literal:
        return "one of " + ", ".join(repr(option) for option in typing.get_args(kind))
    if dataclasses.is_dataclass(kind):
        return "a mapping"
    if typing.get_origin(kind) in (Union, types.UnionType):
        return " or ".join(_words(option) for option in typing.get_args(kind))
    if kind is type(None):
        return "null"
    if kind is float:
        return "float (finite)"
    return str(kind).replace("typing.", "") if typing.get_origin(kind) else kind.__name__
