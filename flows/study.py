"""study: compose params.yaml from studies/defaults.yaml and studies/<name>/study.yaml.

Mappings merge, lists and single values replace, and so does a mapping that the defaults leave empty:
its keys belong together (the options of one backbone). One that holds "*" in the defaults is a table
of named recipes: each recipe starts from the defaults' "*", then the study's "*", then its own
keys, and only those that a list beside the table names (`runs`, then `searched`) are written; those of
`finish` are named by `prune.runs`. The result has one canonical form (the defaults' order and comments),
so composing twice changes nothing.

A study whose `base` names another one starts from that study's changes: the honest protocol beside
the published one, say, in three lines.

`pinned.yaml` beside study.yaml holds what machines keep of a study that grows: which file says where
each image stands, and which arrival is the newest. It goes before study.yaml and says nothing else;
who takes up a study as a base does not take up its pins.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from flows import files, layout
from flows.layout import BASE
from flows.repository import HERE

STUDIES = Path("studies")
PARAMS_FILE = Path("params.yaml")
PINNED = "pinned.yaml"
PINS = ("validate.arrival", "split.assignments", "split.frozen")
"""All that PINNED may say."""
_LISTS = ("runs", "searched")  # what may name the recipes of the table beside it, in this order
_FINISH, _PRUNE = "finish", "prune"  # the recipes of the one are named by the runs of the other


def known(root: Path = HERE) -> list[str]:
    """List the studies of a checkout, sorted."""
    return sorted(path.parent.name for path in (root / STUDIES).glob("*/study.yaml"))


def compose(name: str, *, root: Path = HERE) -> dict[str, Any]:
    """Return the complete parameters of the study `name`; raise ValueError that lists every fault."""
    if name not in (names := known(root)):
        raise ValueError(f"unknown study {name!r}: known are {', '.join(names) or 'none'}")
    defaults = _read(root / STUDIES / "defaults.yaml")
    faults: list[str] = []
    changed = _stack(_changes(name, defaults, root), _pinned(name, root), defaults)
    tree = _merge(defaults, changed, "", faults)
    _name_finished(tree, faults)
    if faults:
        where = STUDIES / name / "study.yaml"
        raise ValueError("\n".join(f"{where}: {fault}" for fault in faults))
    return {"study": name, **tree}


def _changes(name: str, defaults: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Return what the study `name` changes, stacked upon what its base does."""
    own = _said(name, root)
    base = own.pop("base", None)
    if base is None:
        return own
    where = STUDIES / name / "study.yaml"
    others = [other for other in known(root) if other != name]
    if base not in others:
        raise ValueError(f"{where}: base {base!r} is no other study: known are {', '.join(others)}")
    under = _said(base, root)
    if "base" in under:
        raise ValueError(f"{where}: base {base} has a base itself: name {under['base']} here")
    return _stack(under, own, defaults)


def _said(name: str, root: Path) -> dict[str, Any]:
    """Return what a study's own file says, without the words for people."""
    tree = _read(root / STUDIES / name / "study.yaml")
    tree.pop("about", None)
    return tree


def _pinned(name: str, root: Path) -> dict[str, Any]:
    """Return what a study's PINNED says, nothing without one; raise ValueError for anything but pins."""
    path = root / STUDIES / name / PINNED
    if not path.exists():
        return {}
    tree = _read(path)
    said = [
        f"{section}.{key}" if key else section
        for section, content in tree.items()
        for key in (content if isinstance(content, Mapping) else [""])
    ]
    if strange := [key for key in said if key not in PINS]:
        raise ValueError(
            f"{path} says {', '.join(strange)}, but it is for machines and holds {', '.join(PINS)} "
            f"only: move the rest to {STUDIES / name / 'study.yaml'}"
        )
    return tree


def pin(name: str, pins: Mapping[str, Any], *, root: Path = HERE) -> list[str]:
    """Add `pins`, {one of PINS: value}, to those of a study and write its params.yaml, as `write` does."""
    tree = _pinned(name, root)
    for key, value in pins.items():
        if key not in PINS:
            raise ValueError(f"{key!r} can't be pinned: only {', '.join(PINS)} can")
        section, _, last = key.partition(".")
        tree.setdefault(section, {})[last] = value
    tree = {section: dict(sorted(content.items())) for section, content in sorted(tree.items())}
    head = f"# Written by machines, which write it anew: your own words belong into study.yaml of {name}.\n"
    content = layout.text(tree, head, comments=root / STUDIES / "defaults.yaml")
    files.write(root / STUDIES / name / PINNED, content)
    return write(name, root=root)


def _stack(under: Mapping[str, Any], over: Mapping[str, Any], form: Any) -> dict[str, Any]:
    """Return the changes `under` with `over` upon them, merged as `_merge` does by the defaults' `form`."""
    result = dict(under)
    for key, new in over.items():
        inner = form.get(key, form.get(BASE)) if isinstance(form, Mapping) else None
        if inner and all(isinstance(x, Mapping) for x in (inner, new, under.get(key))):
            new = _stack(under[key], new, inner)
        result[key] = new
    return result


def text(name: str, *, root: Path = HERE) -> str:
    """Return params.yaml of the study `name`, byte for byte as `write` writes it."""
    own = f"# studies/{name}/study.yaml"
    if (root / STUDIES / name / PINNED).exists():
        own += f", before which goes studies/{name}/{PINNED}"
    head = (
        f"# Written by `make study STUDY={name}` from studies/defaults.yaml and\n"
        f"{own}. Change numbers here to try them, there to keep them.\n"
    )
    return layout.text(compose(name, root=root), head, comments=root / STUDIES / "defaults.yaml")


def write(name: str, *, root: Path = HERE) -> list[str]:
    """Write params.yaml for the study `name`; return what changed, one line per key."""
    content, after, path = text(name, root=root), compose(name, root=root), root / PARAMS_FILE
    exists = path.exists()
    lines = changes(_read(path), after) if exists else [f"{PARAMS_FILE}: new, study {name}"]
    if not exists or path.read_text(encoding="utf-8") != content:
        files.write(path, content)
    return lines


def changes(before: Any, after: Any, where: str = "") -> list[str]:
    """Say the difference of two parameter trees, one line per key; a new or gone mapping is one key."""
    if not (where == "" or (before and after and _both_mappings(before, after))):
        same = before == after and type(before) is type(after)
        return [] if same else [f"{where}: {layout.words(before)} → {layout.words(after)}"]
    lines = []
    for key in [*after, *(key for key in before if key not in after)]:
        inner = f"{where}.{key}" if where else str(key)
        if key not in before:
            lines.append(f"{inner}: new, {layout.words(after[key])}")
        elif key not in after:
            lines.append(f"{inner}: {layout.words(before[key])}, gone")
        else:
            lines += changes(before[key], after[key], inner)
    return lines


def _both_mappings(one: Any, other: Any) -> bool:
    return isinstance(one, Mapping) and isinstance(other, Mapping)


def _merge(
    base: Mapping[str, Any],
    change: Mapping[str, Any],
    where: str,
    faults: list[str],
    *,
    form: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return `base` with `change` merged into it; note what `form`, the defaults' own, does not know."""
    form = base if form is None else form
    if BASE in form:
        return _merge_recipes(form[BASE], change, where, faults)
    result = copy.deepcopy(dict(base))
    for key, new in change.items():
        if key not in form:
            faults.append(f"{where}{key} is unknown: known are {', '.join(map(str, form))}")
        elif isinstance(form[key], Mapping) and not isinstance(new, Mapping):
            faults.append(f"{where}{key} must be a mapping, not {new!r}")
        elif not form[key] or not isinstance(form[key], Mapping):
            result[key] = copy.deepcopy(new)
    for key, inner in form.items():
        if isinstance(inner, Mapping) and inner:
            new = change.get(key)
            new = new if isinstance(new, Mapping) else {}
            result[key] = _merge(result[key], new, f"{where}{key}.", faults, form=inner)
            if BASE in inner:
                lists = {f"{where}{name}": result[name] for name in _LISTS if name in result}
                if lists:
                    result[key] = _named(result[key], lists, f"{where}{key}", faults)
    return result


def _name_finished(tree: dict[str, Any], faults: list[str]) -> None:
    """Keep of the recipes of `finish` those of pruned runs, and none where nothing is finished."""
    if finish := tree.get(_FINISH):
        runs = tree[_PRUNE]["runs"]
        lists = {f"{_PRUNE}.runs": runs if finish["cuts"] and isinstance(runs, list) else []}
        finish["recipes"] = _named(finish["recipes"], lists, f"{_FINISH}.recipes", faults)


def _merge_recipes(
    base: Mapping[str, Any], change: Mapping[str, Any], where: str, faults: list[str]
) -> dict[str, Any]:
    """Return every recipe of `change`, complete; "*" itself is not among them."""
    start = _merge(base, change.get(BASE) or {}, f"{where}{BASE}.", faults)
    return {
        name: _merge(start, recipe or {}, f"{where}{name}.", faults, form=base)
        for name, recipe in change.items()
        if name != BASE
    }


def _named(
    recipes: Mapping[str, Any], lists: Mapping[str, Any], where: str, faults: list[str]
) -> dict[str, Any]:
    """Return the recipes that `lists` name, by their places, list after list, each in its own order."""
    found: dict[str, str] = {}  # recipe: the list that names it
    for place, names in lists.items():
        if not isinstance(names, list):
            faults.append(f"{place} must be a list of names, not {names!r}")
            continue
        for name in names:
            if name not in recipes:
                faults.append(
                    f"{place} names {name!r}, but {where}.{name} is missing: add it "
                    f"(`{name}: {{}}` takes every default)"
                )
            elif found.setdefault(name, place) != place:
                faults.append(f"{name!r} stands in {found[name]} and in {place}: keep it in one")
    return {name: recipes[name] for name in found}


def parse(text: str, *, where: str = "the text") -> dict[str, Any]:
    """Return the mapping that a YAML text holds; raise ValueError that names `where`."""
    try:
        tree = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ValueError(f"{where} is not valid YAML: {' '.join(str(error).split())}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ValueError(f"{where} must hold a mapping, not {type(tree).__name__}")
    return tree


def _read(path: Path) -> dict[str, Any]:
    try:
        return parse(path.read_text(encoding="utf-8"), where=str(path))
    except FileNotFoundError:
        raise ValueError(f"{path} is missing") from None


def main() -> None:
    """Write params.yaml for the study named on the command line and print what changed."""
    parser = argparse.ArgumentParser(prog="python -m flows.study", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("name", help="a folder of studies/")
    name = parser.parse_args().name
    try:
        lines = write(name)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    print("\n".join(lines) if lines else f"params.yaml is already the study {name}")


if __name__ == "__main__":
    main()
