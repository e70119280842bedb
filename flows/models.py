"""models: which models can answer, by name: exported here, of a recorded study, or registered; JSON on stdout.

`where NAME` says in which folder the files of one lie. Those that are not in the working tree come from
DVC's cache or remote, each checked by its hash, read-only, into data/.scratch/exported. `list` says what
there is, with the cards. What is known of versions is what this clone knows: `python -m flows.registry`
asks the git remote first.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flows import command, pipeline, promotion, record, registry, repository, store, study
from flows.versions import STAGE, Version, find, names, production, versions

METADATA = "metadata.json"
SCRATCH = Path("data/.scratch/exported")
_OF_STUDY = "study:"
_NUMBER = re.compile(r"v?\d+(\.\d+){0,2}")


def where(name: str, root: Path = pipeline.HERE) -> Path:
    """Return the folder with the files of the model called `name`; they are brought if need be.

    Raises ValueError that says what is known if nothing is called so, or if its files are nowhere whole.
    """
    if name.startswith(_OF_STUDY):
        return _of_study(name.removeprefix(_OF_STUDY), root)
    local = _local(root)
    if name in local:
        return local[name]
    version = _version(name, root)
    if version is None:
        known = [*local, *(one.tag for one in _versions(root))]
        raise ValueError(
            f"{name!r} is no path and no model: known are {', '.join(known) or 'none'}; "
            "a recorded study's is called study:<name>"
        )
    return _bring(_exported(registry.content(version, root)), root)


def _local(root: Path) -> dict[str, Path]:
    """Return the exported models of the working tree by name, sorted."""
    found = sorted((root / promotion.EXPORTED).glob(f"*/{METADATA}"))
    return {path.parent.name: path.parent for path in found}


def _version(name: str, root: Path) -> Version | None:
    """Return the version that a name stands for: prod, a number, or either behind a registered name."""
    known = names(root)
    first, mark, rest = name.partition("#" if name.endswith(f"#{STAGE}") else "@")
    if not mark and name in known:
        first, rest = name, STAGE
    elif not mark:
        first, rest = "", name
    if rest != STAGE and not _NUMBER.fullmatch(rest):
        return None
    if not first and len(known) != 1:
        said = ", ".join(f"{one}@{rest}" for one in known)
        raise ValueError(
            f"{rest!r} of which model? Name one of {said}" if known else
            f"{name!r}: this clone knows no registered version; `python -m flows.registry` asks the remote"
        )  # fmt: skip
    first = first or known[0]
    if rest != STAGE:
        return find(first, _padded(rest), root)
    version = production(first, root)
    if version is None:
        raise ValueError(f"{first!r} has no version that is {STAGE}: names with versions are {', '.join(known) or 'none'}")  # fmt: skip
    return version


def _padded(number: str) -> str:
    """Return v3 as v3.0.0."""
    parts = number.removeprefix("v").split(".")
    return "v" + ".".join([*parts, "0", "0"][:3])


def _of_study(name: str, root: Path) -> Path:
    """Return the model of a study: the working tree's if that is the study, else its record's."""
    name, _, model = name.partition("/")
    if name not in (known := study.known(root)):
        raise ValueError(f"unknown study {name!r}: known are {', '.join(known)}")
    here = root / study.PARAMS_FILE
    tree = study.parse(here.read_text(encoding="utf-8"), where=str(here)) if here.exists() else {}
    lock: dict[str, Any]
    if tree.get("study") == name:
        chosen = _chosen(tree, model)
        folder = root / promotion.EXPORTED / chosen
        if (folder / METADATA).is_file():
            return folder
        lock = pipeline.read_lock(root)
    else:
        kept = root / record.folder(name)
        if not (kept / pipeline.LOCK_FILE).is_file():
            raise ValueError(
                f"the study {name} is not the one of params.yaml and has no record: `make study "
                f"STUDY={name}`, then `make repro`"
            )
        path = kept / study.PARAMS_FILE
        chosen = _chosen(study.parse(path.read_text(encoding="utf-8"), where=str(path)), model)
        lock = pipeline.parse_lock((kept / pipeline.LOCK_FILE).read_text(encoding="utf-8"))
    wanted = f"{promotion.EXPORTED}/{chosen}"
    outs = {out["path"]: out["md5"] for entry in lock.values() for out in entry.get("outs", [])}
    if wanted not in outs:
        raise ValueError(f"the lock file of study {name} has no {wanted}: `make study STUDY={name}`, then `make repro`")  # fmt: skip
    return _bring({wanted: outs[wanted]}, root)


def _chosen(tree: Mapping[str, Any], model: str) -> str:
    """Return the exported model that is meant; raise ValueError where that is not one."""
    exported = [str(one) for one in (tree.get("export") or {}).get("models") or []]
    judged = [str(one) for one in (tree.get("gate") or {}).get("models") or []]
    if model:
        if model not in exported:
            raise ValueError(f"study {tree['study']} exports no {model!r}: known are {', '.join(exported) or 'none'}")  # fmt: skip
        return model
    meant = judged or exported
    if len(meant) != 1:
        said = ", ".join(f"{_OF_STUDY}{tree['study']}/{one}" for one in exported)
        raise ValueError(
            f"study {tree['study']} exports {len(exported)} models: name one of {said}" if exported else
            f"study {tree['study']} exports no model: name one in export.models of the study"
        )  # fmt: skip
    return meant[0]


def _exported(content: Mapping[str, str]) -> dict[str, str]:
    """Return {path: md5} of the exported model among what belongs to a version."""
    return {path: md5 for path, md5 in content.items() if path.startswith(f"{promotion.EXPORTED}/")}


def _bring(outputs: Mapping[str, str], root: Path) -> Path:
    """Return a folder with the files of one exported model, whole; brought unless they are there."""
    ((path, md5),) = outputs.items()
    target = root / SCRATCH / md5.removesuffix(".dir") / Path(path).name
    if target.is_dir() and _digest(target) == md5:
        return target
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with store.opened(root) as kept:
            for file, own in kept.contents(outputs).items():
                if file != path:
                    goal = partial / file.removeprefix(f"{path}/")
                    goal.parent.mkdir(parents=True, exist_ok=True)
                    kept.bring(file, own, goal)
                    goal.chmod(0o444)
        shutil.rmtree(target, ignore_errors=True)  # somebody changed it
        with contextlib.suppress(OSError):  # another process was as quick
            partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _digest(folder: Path) -> str:
    """Return the name that DVC gives a folder with these files: the MD5 of their list."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    entries = [
        {
            "md5": hashlib.md5(path.read_bytes()).hexdigest(),  # noqa: S324
            "relpath": path.relative_to(folder).as_posix(),
        }
        for path in files
    ]
    text = json.dumps(sorted(entries, key=lambda entry: entry["relpath"]), sort_keys=True)
    return f"{hashlib.md5(text.encode()).hexdigest()}.dir"  # noqa: S324


def listed(root: Path = pipeline.HERE) -> list[dict[str, Any]]:
    """Return the exported models of the working tree, then every registered version, the newest first.

    `sha256` is that of metadata.json, which names all other files' hashes; `fault` says, for a version
    whose card can't be had, why.
    """
    found = [
        _said(name, (folder / METADATA).read_bytes(), path=str(folder))
        for name, folder in _local(root).items()
    ]
    return found + [_registered(version, root) for version in _versions(root)]


def _versions(root: Path) -> Iterator[Version]:
    for name in names(root):
        yield from reversed(versions(name, root))


def _registered(version: Version, root: Path) -> dict[str, Any]:
    about = {
        "prod": version == production(version.name, root),
        "day": repository.git("log", "-1", "--format=%cs", version.commit, root=root).strip(),
        "commit": version.commit,
    }
    try:
        outputs = _exported(registry.content(version, root))
        return _said(version.tag, _metadata(outputs, root), **about)
    except (ValueError, OSError, pipeline.Failed) as error:
        return _said(version.tag, b"", fault=" ".join(str(error).split()), **about)


def _metadata(outputs: Mapping[str, str], root: Path) -> bytes:
    """Return an exported model's metadata.json, from the cache or the remote."""
    ((path, _),) = outputs.items()
    target = root / SCRATCH / f".{METADATA}.{os.getpid()}.partial"
    with store.opened(root) as kept:
        objects = kept.contents(outputs)
        if f"{path}/{METADATA}" not in objects:
            raise ValueError(f"{path} has no {METADATA}: it was exported otherwise")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            kept.bring(METADATA, objects[f"{path}/{METADATA}"], target)
            return target.read_bytes()
        finally:
            target.unlink(missing_ok=True)


def _said(name: str, metadata: bytes, **about: Any) -> dict[str, Any]:
    usual = {"prod": False, "day": None, "commit": None, "path": None, "fault": None}
    return {
        "name": name, **usual, **about,
        "model": json.loads(metadata).get("model") if metadata else None,
        "card": json.loads(metadata).get("card") if metadata else None,
        "sha256": hashlib.sha256(metadata).hexdigest() if metadata else None,
    }  # fmt: skip


def main() -> None:
    """Print where a model lies, or all there are, as JSON."""
    parser = argparse.ArgumentParser(prog="python -m flows.models", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    words = parser.add_subparsers(dest="word", required=True)
    words.add_parser("where", help="where the files of one lie").add_argument("name")
    words.add_parser("list", help="all there are")
    arguments = parser.parse_args()
    with command.telling(interrupted=command.NOTHING_HALF):
        found = listed() if arguments.word == "list" else {"path": str(where(arguments.name))}
        print(json.dumps(found))


if __name__ == "__main__":
    main()
