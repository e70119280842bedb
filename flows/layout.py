"""layout: the canonical text of a study's parameters, with the comments of the defaults, and values in words."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.representer import RoundTripRepresenter

BASE = "*"
"""The recipe that all of its table start from."""
_FLOW_WIDTH = 112  # a mapping or list of single values that is longer gets one line per entry


def text(tree: Mapping[str, Any], head: str, *, comments: Path) -> str:
    """Return the YAML of `tree` under `head`: a blank line before each section, comments from a file."""
    known = dict(_comments(_round_trip().load(comments)))
    root = _commented(dict(tree), (), known)
    for section in list(root)[1:]:
        if isinstance(root[section], Mapping | list):
            root.yaml_set_comment_before_after_key(section, before="\n")
    buffer = io.StringIO()
    buffer.write(head)
    _round_trip().dump(root, buffer)
    return "\n".join(line.rstrip() if line.strip() != "#" else "" for line in
                     buffer.getvalue().splitlines()) + "\n"  # fmt: skip


def words(value: Any) -> str:
    """Return a value in one line of YAML; of a long mapping only how much it holds."""
    if isinstance(value, Mapping) and len(str(value)) > _FLOW_WIDTH:
        return f"{len(value)} keys"
    buffer = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width = True, 4096
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(value, buffer)
    return buffer.getvalue().removesuffix("\n").removesuffix("\n...")


class _Representer(RoundTripRepresenter):
    """Writes null as a word: an empty cell looks like a forgotten value."""


_Representer.add_representer(
    type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null")
)


def _round_trip() -> YAML:
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _comments(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield (path of keys, the comment behind that key's line) for a mapping read round trip."""
    if not isinstance(node, CommentedMap):
        return
    for key, value in node.items():
        tokens = node.ca.items.get(key, [])
        behind = [token for token in tokens if token is not None and not isinstance(token, list)]
        if behind:
            first = behind[0].value.splitlines()[0].strip()
            if first.startswith("#"):
                yield (*path, key), first.lstrip("# ")
        yield from _comments(value, (*path, key))


def _commented(node: Any, path: tuple[str, ...], comments: Mapping[tuple[str, ...], str]) -> Any:
    """Return `node` in the canonical layout: short flat values in one line, the rest in blocks."""
    if isinstance(node, dict):
        mapping = CommentedMap()
        flat = len(path) > 1 and _flat(node)
        for key, value in node.items():
            inner = (*path, key)
            mapping[key] = _commented(value, inner, comments)
            # a recipe's keys carry the comments of the defaults' "*"
            in_recipe = len(inner) > 3 and inner[1] == "recipes"
            comment = comments.get((*inner[:2], BASE, *inner[3:]) if in_recipe else inner)
            if comment and not flat:
                mapping.yaml_add_eol_comment(comment, key, column=0)
        if flat or not node:
            mapping.fa.set_flow_style()
        return mapping
    if isinstance(node, list):
        sequence = CommentedSeq(_commented(value, (*path, "-"), comments) for value in node)
        if _flat(node):
            sequence.fa.set_flow_style()
        return sequence
    return node


def _flat(node: Any) -> bool:
    """Tell whether a mapping or list holds only single values (or lists of them) and is short."""
    values = node.values() if isinstance(node, dict) else node
    simple = all(
        not isinstance(value, dict | list)
        or (isinstance(value, list) and not any(isinstance(x, dict | list) for x in value))
        for value in values
    )
    return simple and len(str(node)) <= _FLOW_WIDTH
