"""A model's files, checked before anything runs: a folder that export wrote, or one ONNX file of it.

metadata.json names the sha256 of every file. A file that comes alone holds its own in its metadata
(`seal`, made with zeros in its place, as cxr/exporting/graph.py writes it), and where it comes with
metadata.json both must say the same. That finds damage and mix-ups; against who writes both, compare
the model's sha256 with the one that the registry or a paper names.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

METADATA = "metadata.json"
_FLOAT = re.compile(r"fold-(\d+)\.onnx")
_SEAL = re.compile(rb'"seal":"([0-9a-f]{64})"')
_NEEDED: dict[str, type | tuple[type, ...]] = {
    "model": str, "labels": list, "loss": str, "size_px": int, "preprocessing": list, "card": dict,
    "strangeness": dict,
}  # fmt: skip
_NEEDED_OF_CARD: dict[str, type | tuple[type, ...]] = {
    "data_sets": list, "split": dict, "notice": str,
}  # fmt: skip
_SAME = ("labels", "loss", "mean", "model", "preprocessing", "size_px", "std")
"""What metadata.json and a file's own metadata must both say."""
_AGAIN = "get the model again, or export it anew (`dvc repro export`)"
_BRACES, _LONGEST_BYTES = 500, 2**20
"""How many mappings may stand before the seal, and how long all that a file says may be."""
_LARGEST_BYTES = 2**31
"""Of an ONNX file: protobuf takes no more."""


@dataclass(frozen=True, kw_only=True)
class Files:
    """The networks that answer, and what is said of them."""

    about: Mapping[str, Any]
    networks: Mapping[str, bytes]
    """the ONNX files by name; several are one model, by the mean of their answers"""
    version_sha256: str
    """of metadata.json, or of the file that came alone"""
    threshold: float
    """of strangeness"""
    which: str
    """in words, which networks of the model these are; empty if it has but one"""


def read(path: Path, *, fold: int | None = None) -> Files:
    """Read a model's folder or file; raise ValueError, naming the file and the cure, if it is not whole.

    A model whose folds were tested in turn answers by one of them, the first unless `fold` says
    another; one that was tested by the mean of its folds answers by all.
    """
    if path.is_dir():
        return _folder(path, fold)
    if not path.is_file():
        raise ValueError(f"{path} is missing: name a folder that export wrote, or an ONNX file")
    if fold is not None:
        raise ValueError(f"{path} is one network: a fold can be chosen of a folder alone")
    content = _content(path)
    sealed(content, str(path))
    about = own(content, str(path))
    _check(about, str(path))
    return Files(
        about=about, networks={path.name: content}, which="",
        version_sha256=hashlib.sha256(content).hexdigest(),
        threshold=_threshold(about["strangeness"], str(path)),
    )  # fmt: skip


def _folder(folder: Path, fold: int | None) -> Files:
    path = folder / METADATA
    try:
        text = path.read_bytes()
        about = json.loads(text)
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: {folder} is no exported model; {_AGAIN}") from None
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}): {_AGAIN}") from None
    _check(about, str(path))
    hashes = _field(about, "files", dict, str(path))
    names = {int(match[1]): name for name in hashes if (match := _FLOAT.fullmatch(name))}
    chosen, which = _chosen(names, fold, _together(about), str(path))
    networks, thresholds = {}, []
    for name in chosen:
        networks[name] = _named(folder / name, hashes[name], about)
        strange = _field(about["strangeness"], name, dict, f"{path}: strangeness")
        thresholds.append(_threshold(strange, f"{path}: strangeness: {name}"))
    if len(set(thresholds)) > 1:
        raise ValueError(f"{path}: the files have other thresholds of strangeness: {_AGAIN}")
    return Files(
        about=about, networks=networks, version_sha256=hashlib.sha256(text).hexdigest(),
        threshold=thresholds[0], which=which,
    )  # fmt: skip


def _together(about: Mapping[str, Any]) -> bool:
    """Tell whether the model's figures are of the mean of its folds' networks."""
    return about["card"]["split"].get("test") == "held_out"


def _chosen(names: Mapping[int, str], fold: int | None, together: bool, where: str) -> tuple[list[str], str]:  # fmt: skip
    """Return the names of the files that answer, and in words which they are."""
    folds = sorted(names)
    if not folds:
        raise ValueError(f"{where}: files names no fold-<number>.onnx: {_AGAIN}")
    if fold is not None and fold not in names:
        raise ValueError(
            f"{where}: there is no fold {fold}: known are {', '.join(map(str, folds))}"
        )
    if len(folds) == 1:
        return [names[folds[0]]], ""
    if together and fold is None:
        return [names[one] for one in folds], f"the mean of its {len(folds)} networks"
    one = folds[0] if fold is None else fold
    return [names[one]], f"fold {one} of its {len(folds)} networks"


def _named(path: Path, sha256: str, about: Mapping[str, Any]) -> bytes:
    """Return the content of a file that metadata.json names, after it was held against that."""
    content = _content(path)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{path} was changed: its sha256 is {found}, {METADATA} says {sha256}; {_AGAIN}"
        )
    said = own(content, str(path))
    for key in _SAME:
        if said.get(key) != about.get(key):
            raise ValueError(
                f"{path.with_name(METADATA)} was changed: it says {key} {about.get(key)!r}, {path.name} "
                f"itself {said.get(key)!r}; {_AGAIN}"
            )
    return content


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError(f"{path} is missing: {_AGAIN}")
    if not 0 < path.stat().st_size < _LARGEST_BYTES:
        raise ValueError(f"{path} has {path.stat().st_size} bytes, no ONNX file has: {_AGAIN}")
    return path.read_bytes()


def sealed(content: bytes, where: str) -> None:
    """Raise ValueError unless a file's content has the sha256 that it names itself."""
    seals = _SEAL.findall(content)
    if len(seals) != 1:
        raise ValueError(
            f"{where} has no seal, or several: no ONNX file of this pipeline; {_AGAIN}"
        )
    blank = content.replace(seals[0], b"0" * 64)
    if hashlib.sha256(blank).hexdigest().encode() != seals[0]:
        raise ValueError(
            f"{where} was changed: its sha256 is not the one that it names itself; {_AGAIN}"
        )


def own(content: bytes, where: str) -> dict[str, Any]:
    """Return what a file says of itself: the JSON that holds the seal, found without an ONNX parser."""
    seal = _SEAL.search(content)
    start = seal.start() if seal else 0
    for _ in range(_BRACES):
        start = content.rfind(b'{"', 0, start)
        if start < 0:
            break
        text = content[start : start + _LONGEST_BYTES].decode("utf-8", errors="replace")
        with contextlib.suppress(ValueError, RecursionError):
            said, _ = json.JSONDecoder().raw_decode(text)
            if "seal" in said:
                return dict(said)
    raise ValueError(f"{where} says nothing of itself: no ONNX file of this pipeline; {_AGAIN}")


def _check(about: Any, where: str) -> None:
    if not isinstance(about, dict):
        raise ValueError(f"{where} holds no mapping: {_AGAIN}")
    for key, kind in _NEEDED.items():
        _field(about, key, kind, where)
    for key, kind in _NEEDED_OF_CARD.items():
        _field(about["card"], key, kind, f"{where}: card")


def _field(mapping: Mapping[str, Any], key: str, kind: Any, where: str) -> Any:
    if key not in mapping:
        raise ValueError(
            f"{where} lacks {key!r}: it is incomplete, or older than this code; {_AGAIN}"
        )
    found = mapping[key]
    if not isinstance(found, kind) or isinstance(found, bool):
        raise ValueError(f"{where}: {key!r} can't be {found!r}: {_AGAIN}")
    return found


def _threshold(strange: Mapping[str, Any], where: str) -> float:
    return float(_field(strange, "threshold", (int, float), where))
