"""Parameters, data and other numbers of both sides, row by row: what differs, and how much is alike.

A row is (what, before, now) in words; "–" where a side has nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cxr.report import phrases
from cxr.review.evidence import COSTS, Model, Side

Row = tuple[str, str, str]
NOTHING = "–"
_LONG = 90  # characters of a parameter's value that are shown
_FURTHER = {"balanced_accuracy": "balanced accuracy", "macro_f1": "macro F1"}


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What differs, and how many rows are the same on both sides."""

    changed: list[Row]
    same: int


def parameters(base: Side, head: Side) -> Rows:
    """Compare params.yaml; what only one side has is one row however much is below it."""
    rows = list(_unlike(base.params, head.params, ""))
    same = len(_leaves(head.params)) - sum(len(_leaves(_at(head.params, row[0]))) for row in rows)
    return Rows(changed=rows, same=same)


def data(base: Side, head: Side, hashes: Mapping[str, Mapping[str, str]]) -> Rows:
    """Compare counts of images, patients and labels, findings, openings of the test set, and hashes.

    `hashes` holds, for "base" and "head", {path of data: hash in dvc.lock}.
    """
    sides = [_counts(base), _counts(head)]
    sides[0] |= {f"hash of {path}": md5[:8] for path, md5 in hashes.get("base", {}).items()}
    sides[1] |= {f"hash of {path}": md5[:8] for path, md5 in hashes.get("head", {}).items()}
    return _side_by_side(*sides)


def figures_of(base: Model | None, head: Model | None) -> Rows:
    """Compare what of a model is not put to the test: costs, further metrics, AUROC of each label."""
    return _side_by_side(*(_numbers(model.metrics) if model else {} for model in (base, head)))


def costs(base: Mapping[str, Model], head: Mapping[str, Model]) -> list[Row]:
    """Return a row for each cost of a model of both sides that changed."""
    rows = []
    for name in (name for name in head if name in base):
        for key, words in COSTS.items():
            old, new = (side[name].metrics.get(key) for side in (base, head))
            if old and new and old != new:
                rows.append((f"{name}: {words}", f"{old:,}", f"{new:,} ({new / old:.2f} times)"))
    return rows


def _unlike(old: Any, new: Any, where: str) -> Iterator[Row]:
    """Yield what differs in two trees, in the order of the newer."""
    for name in [*new, *(name for name in old if name not in new)]:
        inner = f"{where}.{name}" if where else str(name)
        if name not in old or name not in new:
            yield inner, _shown(old, name), _shown(new, name)
        elif isinstance(old[name], Mapping) and isinstance(new[name], Mapping):
            yield from _unlike(old[name], new[name], inner)
        elif old[name] != new[name]:
            before = _shown(old, name, beside=new)
            yield inner, before, _shown(new, name, beside=old)


def _shown(tree: Mapping[str, Any], name: str, *, beside: Mapping[str, Any] | None = None) -> str:
    """Return a value in one line; of a long list what that of the other side has not."""
    if name not in tree:
        return NOTHING
    value, other = tree[name], (beside or {}).get(name)
    words = json.dumps(value, ensure_ascii=False, default=str)
    if len(words) <= _LONG:
        return words
    if isinstance(value, list) and isinstance(other, list):
        own = [x for x in value if x not in other]
        words = f"… {json.dumps(own, ensure_ascii=False, default=str)}" if own else "…"
    inside = len(_leaves(value))
    return (
        f"{words[:_LONG]}…" + (f" ({inside} values)" if inside > 1 else "")
        if len(words) > _LONG
        else words
    )


def _leaves(tree: Any) -> list[Any]:
    if not isinstance(tree, Mapping):
        return [tree]
    return [leaf for value in tree.values() for leaf in _leaves(value)]


def _at(tree: Any, name: str) -> Any:
    """Return what stands at a dotted name; an empty mapping if nothing does."""
    for word in name.split("."):
        tree = tree.get(word, {}) if isinstance(tree, Mapping) else {}
    return tree


def _side_by_side(old: Mapping[str, str], new: Mapping[str, str]) -> Rows:
    names = [*new, *(name for name in old if name not in new)]
    rows = [(name, old.get(name, NOTHING), new.get(name, NOTHING)) for name in names]
    changed = [row for row in rows if row[1] != row[2]]
    return Rows(changed=changed, same=len(rows) - len(changed))


def _counts(side: Side) -> dict[str, str]:
    """Return what a side's reports count of its data, by what is counted."""
    summary, split = side.report("validate/summary.json"), side.report("split/metrics.json")
    found = {key: summary.get(key) for key in ("images", "patients")}
    found |= {f"images with {phrases.spaced(x)}": n for x, n in (summary.get("labels") or {}).items()}  # fmt: skip
    for name, counts in (summary.get("datasets") or {}).items():
        found |= {f"data set {name}: {key}": counts.get(key) for key in ("images", "patients")}
    for finding in summary.get("findings") or []:
        found[f"finding {phrases.spaced(finding['finding'])}"] = finding["count"]
    shown = {name: f"{n:,}" for name, n in found.items() if isinstance(n, int)}
    shown |= dict(_parts(split.get("folds") or {}))
    for warning in split.get("warnings") or []:
        shown[f"warning: {warning}"] = "given"
    openings = side.folder / "reports/test_openings.csv"
    if openings.is_file():
        lines = openings.read_text(encoding="utf-8").splitlines()
        shown["recorded openings of test sets"] = f"{len(lines) - 1:,}"
    return shown | _pointers(side)


def _parts(folds: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what each part holds: lowest and highest of the folds where they differ."""
    parts = list(dict.fromkeys(part for fold in folds.values() for part in fold))
    for part in parts:
        here = [fold[part] for fold in folds.values() if part in fold]
        yield f"{part}: images", phrases.spread([part["images"] for part in here])
        yield f"{part}: patients", phrases.spread([part["groups"] for part in here])
        for label in here[0].get("labels", {}):
            counts = [part["labels"].get(label, 0) for part in here]
            yield f"{part}: {phrases.spaced(label)}", phrases.spread(counts)


def _pointers(side: Side) -> dict[str, str]:
    """Return what DVC's pointers to data that no stage makes hold, as they name it."""
    found = {}
    for path in sorted((side.folder / "data").rglob("*.dvc")):
        lines = path.read_text(encoding="utf-8").splitlines()
        hashes = [line.partition("md5:")[2].strip()[:8] for line in lines if "md5:" in line]
        found[path.relative_to(side.folder).as_posix()] = " ".join(hashes)
    return found


def _numbers(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return a model's costs and metrics besides AUROC and accuracy, with their intervals."""
    found: dict[str, str] = {}
    for key, words in COSTS.items():
        if isinstance(metrics.get(key), int):
            found[words] = f"{metrics[key]:,}"
    for key, words in _FURTHER.items():
        if isinstance(metrics.get(key), Mapping):
            found[words] = with_interval(metrics[key])
    calibration = metrics.get("calibration") or {}
    for key, words in (("ece", "calibration error (ECE)"), ("brier", "Brier score")):
        if isinstance(calibration.get(key), float):
            found[words] = f"{calibration[key]:.3f}"
    for label, numbers in (metrics.get("per_label") or {}).items():
        if isinstance(numbers.get("auroc"), Mapping):
            found[f"AUROC of {phrases.spaced(label)}"] = with_interval(numbers["auroc"])
    return found


def with_interval(found: Mapping[str, float | None] | None) -> str:
    """Return a value with its interval behind it."""
    if not found or found.get("value") is None:
        return NOTHING
    low, high = found.get("low"), found.get("high")
    words = f"{found['value']:.3f}"
    return words if low is None or high is None else f"{words} [{low:.3f}, {high:.3f}]"
