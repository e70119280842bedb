"""guard_data: what DVC would write, looked at before it does: lists of folders, and entries of the run cache.

DVC writes each file of a folder where the folder's list, an object of the cache, says, and restores a
stage where the run cache says. Both come from a remote as they are. So lists are read here first, held
against their hash and put into the cache, where DVC takes them from; entries of the run cache are
brought one by one, by their names and contents.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import files, guard, pipeline, repository
from flows.guard import Finding, Refused

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.repo import Repo

_ENTRY = re.compile(r"([0-9a-f]{2})/(\1[0-9a-f]{62})/([0-9a-f]{64})")
_ENTRY_BYTES = 1 << 22
"""Of an entry of the run cache: the lock entry of one stage."""


def outputs(repo: Repo) -> list[Output]:
    """Return all that stages and pointers of a checkout let DVC keep.

    Of pointers, those that git tracks too: DVC overlooks a folder whose content .gitignore excludes and
    then takes in again.
    """
    here = Path(repo.root_dir)
    stages = list(repo.index.stages)
    seen = {Path(stage.path) for stage in stages}
    for word in repository.git("ls-files", "-z", "*.dvc", root=here).split("\0"):
        if word and here / word not in seen and (here / word).is_file():
            stages += repo.stage.load_file(str(here / word))
    return [out for stage in stages for out in stage.outs]


def of_pointers(repo: Repo, pointers: Iterable[Path]) -> list[Output]:
    """Return what pointers name."""
    stages = [stage for path in pointers for stage in repo.stage.load_file(str(path))]
    return [out for stage in stages for out in stage.outs]


def check(repo: Repo, chosen: Iterable[Output]) -> None:
    """Raise Refused unless DVC may fetch and check out these outputs; the lists of folders are then in the cache."""
    found: list[Finding] = []
    for out in chosen:
        found += _output(repo, out)
    if found:
        raise Refused(f"what DVC would bring into {repo.root_dir}", found)


def _output(repo: Repo, out: Output) -> Iterator[Finding]:
    """Yield what is wrong with an output: its place, its hash, its list."""
    root = Path(repo.root_dir)
    name = str(out.def_path)
    place = Path(out.fs_path)
    if out.protocol != "local" or not place.is_relative_to(root):
        yield Finding(where=f"{out.stage.relpath}: {name}", fault="leads out of the tree")
        return
    inside = place.relative_to(root).as_posix()
    md5 = out.hash_info.value
    if not place.parent.resolve().is_relative_to(root.resolve()):
        yield Finding(where=inside, fault="lies behind a link out of the tree")
    about = {"path": inside, "files": out.files, **({"md5": md5} if md5 else {})}
    wrong = list(guard.output("", "", about))
    yield from wrong
    if wrong or not md5 or not md5.endswith(".dir") or not out.use_cache:
        return
    yield from _list(repo, out, inside, md5)


def _list(repo: Repo, out: Output, inside: str, md5: str) -> Iterator[Finding]:
    """Yield what is wrong with the list of a folder's files; one that is nowhere harms nobody."""
    text, brought = _read(out.cache, md5), None
    if text is None and repo.config["core"].get("remote") is not None:
        brought = repo.cloud.get_remote_odb(out.remote, hash_name=out.hash_name)
        if strange := _strange(brought, [md5]):
            yield Finding(where=inside, fault=strange)
            return
        text = _read(brought, md5)
    if text is None:
        return
    if f"{hashlib.md5(text).hexdigest()}.dir" != md5:  # noqa: S324
        yield Finding(where=inside, fault=f"its list is not what its hash {md5} says")
        return
    try:
        entries = json.loads(text)
    except ValueError:
        entries = None
    wrong = list(guard.listing(inside, entries))
    if not wrong and brought and (fault := _strange(brought, [each["md5"] for each in entries])):
        wrong.append(Finding(where=inside, fault=fault))
    yield from wrong
    if brought and not wrong:  # what was looked at is what DVC will use
        out.cache.add_bytes(md5, text)


def _strange(odb: Any, md5s: Iterable[str]) -> str:
    """Say which object of a remote that is a folder is no plain file: DVC would follow a link, or wait for a pipe."""
    if odb.fs.protocol != "local":
        return ""
    for path in (Path(odb.oid_to_path(md5)) for md5 in md5s):
        if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
            return f"{path} is no plain file"
    return ""


def _read(odb: Any, md5: str) -> bytes | None:
    """Return an object's bytes; None if it is not there. Raises Unreachable."""
    return _content(odb, odb.oid_to_path(md5))


def _content(odb: Any, path: str, limit: int = -1) -> bytes | None:
    try:
        with odb.fs.open(path, "rb") as file:
            return bytes(file.read(limit))
    except FileNotFoundError:
        return None
    except Exception as error:  # every kind of storage has its own
        words = " ".join(str(error).split()) or type(error).__name__
        raise pipeline.Unreachable(f"{odb.path} can't be read: {words}") from error


def bring_runs(repo: Repo) -> int:
    """Bring DVC's run cache off the default remote, each entry looked at first; return how many were new.

    Raises Refused, with nothing brought, if any would write outside or has a name that is none.
    """
    remote = repo.cloud.get_remote_odb(None, hash_name="md5-dos2unix")
    here = Path(repo.cache.legacy.path) / "runs"
    found: list[Finding] = []
    new: dict[Path, bytes] = {}
    for name, path in _runs(remote).items():
        if not _ENTRY.fullmatch(name):
            found.append(Finding(where=f"runs/{name}", fault="is no entry of a run cache"))
        elif not (here / name).exists():
            text = _content(remote, path, _ENTRY_BYTES) or b""
            tree = guard.parsed(text.decode(errors="replace"))
            if tree is None:
                found.append(Finding(where=f"runs/{name}", fault="is no YAML mapping"))
            else:
                found += guard.outputs(f"runs/{name}", "", tree)
            new[here / name] = text
    if found:
        raise Refused(f"the run cache of {remote.path}", found)
    for target, text in new.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(target) as partial:
            partial.write_bytes(text)
    return len(new)


def _runs(remote: Any) -> dict[str, str]:
    """Return {name: path} of a remote's run cache, sorted; empty where it keeps none. Raises Unreachable."""
    if remote.fs.protocol in ("http", "https"):
        return {}
    runs = remote.fs.join(remote.path, "runs")
    try:
        paths = sorted(map(str, remote.fs.find(runs))) if remote.fs.exists(runs) else []
    except Exception as error:  # every kind of storage has its own
        words = " ".join(str(error).split()) or type(error).__name__
        raise pipeline.Unreachable(f"{remote.path} can't be read: {words}") from error
    return {path.removeprefix(runs).lstrip("/"): path for path in paths}
