"""store: the objects that DVC keeps, one by one, in its cache and on the default remote.

DVC takes a file of its cache or remote at its word, and `dvc push` ends well though an object is on
neither side. Here an object is read and held against its name, the MD5 of its bytes; the one of a
folder, `<md5>.dir`, lists the files inside.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flows import guard, pipeline, processes, repository

if TYPE_CHECKING:
    from dvc.repo import Repo

_PART = 1 << 20
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Side:
    """The cache or the remote."""

    name: str
    """in words, for messages"""
    odb: Any
    """DVC's own object"""

    def md5(self, md5: str) -> str | None:
        """Return the MD5 of an object's bytes; None if it is not here."""
        digest = hashlib.md5()  # noqa: S324
        found = self.answer(lambda: self.read(md5, digest.update))
        return digest.hexdigest() if found else None

    def copy(self, md5: str, target: Path) -> bool:
        """Write an object to a file; tell whether it was here."""
        with target.open("wb") as file:
            return self.answer(lambda: self.read(md5, file.write))

    def has(self, md5s: Iterable[str]) -> set[str]:
        """Return those of the objects that are here."""
        return self.answer(lambda: set(self.odb.oids_exist(sorted(md5s))))

    def path(self, md5: str) -> str:
        """Return where the object lies if it does."""
        return str(self.odb.fs.unstrip_protocol(self.odb.oid_to_path(md5))).removeprefix("local://")

    def read(self, md5: str, take: Callable[[bytes], object]) -> bool:
        """Hand the object's bytes on, part by part; tell whether it is here."""
        try:
            with self.odb.fs.open(self.odb.oid_to_path(md5), "rb") as file:
                while part := file.read(_PART):
                    take(part)
        except FileNotFoundError:
            return False
        return True

    def answer(self, ask: Callable[[], _T]) -> _T:
        """Return what `ask` does; raise Unreachable for whatever it raises: every kind of storage has its own."""
        try:
            return ask()
        except Exception as error:
            words = " ".join(str(error).split()) or type(error).__name__
            raise pipeline.Unreachable(f"{self.name} can't be read: {words}") from error


@dataclass(frozen=True, kw_only=True)
class Store:
    """Both sides."""

    cache: Side
    remote: Side

    def contents(self, outputs: Mapping[str, str]) -> dict[str, str]:
        """Return {path: md5} of these outputs and of all files in those that are folders.

        Raises ValueError if the list of a folder's files is on neither side or not what it says.
        """
        found = dict(outputs)
        for path, md5 in outputs.items():
            if md5.endswith(".dir"):
                for file in self._listing(path, md5):
                    found[f"{path}/{file['relpath']}"] = file["md5"]
        return found

    def faults(self, objects: Mapping[str, str]) -> list[str]:
        """Return a line for each object that is on neither side or not what its name says, by path."""
        lines = []
        for path, md5 in objects.items():
            found = {side: side.md5(md5) for side in (self.cache, self.remote)}
            if not any(found.values()):
                lines.append(f"{path} ({md5}) is neither in the cache nor on the remote")
            for side, real in found.items():
                if real not in (None, md5.removesuffix(".dir")):
                    lines.append(
                        f"{path} is damaged: {side.path(md5)} holds other bytes (MD5 {real}); remove that "
                        "file, and `dvc fetch` or `dvc push` brings it again from where it is whole"
                    )
        return lines

    def bring(self, path: str, md5: str, target: Path) -> None:
        """Write an object to a file from where it is whole; raise ValueError if it is nowhere."""
        for side in (self.cache, self.remote):
            if side.md5(md5) == md5.removesuffix(".dir") and side.copy(md5, target):
                return
        raise ValueError("\n".join(self.faults({path: md5})))

    def complete(self, objects: Mapping[str, str]) -> None:
        """Bring what the remote lacks there from the cache; raise ValueError with what the cache lacks too."""
        lacking = set(objects.values()) - self.remote.has(set(objects.values()))
        here = sorted(self.cache.has(lacking)) if lacking else []
        gone = [
            f"{path} ({md5})" for path, md5 in objects.items() if md5 in lacking.difference(here)
        ]
        if gone:
            raise ValueError(
                f"{len(gone)} objects are neither in the cache nor on {self.remote.name}, first {gone[0]}: "
                "`dvc repro` or `dvc add` makes them again"
            )
        if here:
            self.remote.answer(lambda: self._upload(here))

    def _upload(self, md5s: list[str]) -> None:
        cache = self.cache.odb
        # files first: DVC takes a folder's list on the remote as a sign that all it names is there
        for chosen in (
            [md5 for md5 in md5s if not md5.endswith(".dir")],
            [md5 for md5 in md5s if md5.endswith(".dir")],
        ):
            self.remote.odb.add([cache.oid_to_path(md5) for md5 in chosen], cache.fs, chosen)

    def _listing(self, path: str, md5: str) -> list[dict[str, str]]:
        for side in (self.cache, self.remote):
            parts: list[bytes] = []
            if side.answer(lambda side=side, parts=parts: side.read(md5, parts.append)):  # type: ignore[misc]
                text = b"".join(parts)
                if f"{hashlib.md5(text).hexdigest()}.dir" == md5:  # noqa: S324
                    entries = list(json.loads(text))
                    if found := list(guard.listing(path, entries)):
                        raise guard.Refused(path, found)
                    return entries
        raise ValueError("\n".join(self.faults({path: md5})))


@contextlib.contextmanager
def opened(root: Path) -> Iterator[Store]:
    """Yield cache and default remote of a checkout; raise ValueError without a remote."""
    with dvc_repository(root) as repo:
        remote = _remote(repo)
        yield Store(
            cache=Side(name="the cache", odb=repo.cache.local),
            remote=Side(name=f"the DVC remote {remote.name!r} ({remote.path})", odb=remote.odb),
        )


def check(root: Path) -> None:
    """Raise ValueError, with the cure, unless the checkout has a default remote that can be written to."""
    with dvc_repository(root) as repo:
        _remote(repo)


def share(folder: Path, *, of: Path) -> None:
    """Let a worktree mean the same remote as `of` does: a relative folder counts from each config file."""
    with dvc_repository(of) as repo:
        remote = _remote(repo)
    with dvc_repository(folder) as repo:
        same = repo.config["core"].get("remote") == remote.name and (
            repo.cloud.get_remote().path == remote.path
        )
        if not same and remote.fs.protocol == "local":
            with repo.config.edit("local") as config:
                config["core"]["remote"] = remote.name
                config["remote"].setdefault(remote.name, {})["url"] = remote.path


def outputs(root: Path) -> dict[str, str]:
    """Return {path: md5} of what the checkout's stages and pointers say of what DVC keeps; sorted.

    Of pointers, those that git tracks: DVC overlooks a folder whose content .gitignore excludes and
    then takes in again, as it does with `data/raw/*.dvc`, and `dvc push` does too.
    """
    words = repository.git("ls-files", "-z", "*.dvc", root=root)
    with dvc_repository(root) as repo:
        here = Path(repo.root_dir)
        stages = list(repo.index.stages)
        seen = {Path(stage.path) for stage in stages}
        for pointer in (here / word for word in words.split("\0") if word):
            if pointer not in seen and pointer.is_file():
                stages += repo.stage.load_file(str(pointer))
        found = {
            Path(out.fs_path).relative_to(here).as_posix(): out.hash_info.value
            for stage in stages
            for out in stage.outs
            if out.use_cache and out.can_push and out.hash_info and not stage.is_repo_import
        }
    return dict(sorted(found.items()))


def push(folder: Path) -> None:
    """Bring what the checkout names, and DVC's run cache, to its default remote; raise Unreachable.

    Whatever stops an upload (the network, credentials, a full disk) may pass. What takes no run cache,
    a web server, gets the rest.
    """
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "push", "--run-cache"]
    with processes.session(command, folder, pipeline.environment(), piped=True) as process:
        assert process.stdout is not None
        lines = [line.strip() for line in process.stdout]
        code = process.wait()
    if code:
        words = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
        raise pipeline.Unreachable(f"`dvc push`: {'; '.join(words[-3:] or lines[-3:]) or 'failed'}")


@contextlib.contextmanager
def dvc_repository(root: Path) -> Iterator[Repo]:
    """Yield DVC's view of a checkout; raise Failed with DVC's words where DVC fails."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    os.environ["DVC_NO_ANALYTICS"] = "1"
    try:
        with contextlib.closing(Repo(str(root))) as repo:
            yield repo
    except (DvcException, ImportError) as error:  # some kinds of storage need a package more
        raise pipeline.Failed(f"DVC in {root}: {' '.join(str(error).split())}") from error


def _remote(repo: Any) -> Any:
    """Return DVC's default remote; raise ValueError with the cure."""
    name = repo.config["core"].get("remote")
    if not name or name not in repo.config["remote"]:
        known = ", ".join(sorted(repo.config["remote"]))
        raise ValueError(
            "this clone has no default DVC remote, where models and data go: "
            + (f"choose one of {known} by `dvc remote default <name>`" if known else
               "`dvc remote add --default storage <folder or URL>`, then `dvc push`")
            + "; commit .dvc/config if others are to find them"
        )  # fmt: skip
    remote = repo.cloud.get_remote(name)
    if remote.worktree or remote.fs.version_aware:
        raise ValueError(
            f"the DVC remote {name!r} keeps files by their names: a registry needs one that keeps them by "
            f"hash, so `dvc remote modify {name} --unset worktree` and `--unset version_aware`"
        )
    if remote.fs.protocol == "local" and not Path(remote.path).is_dir():
        raise ValueError(
            f"the DVC remote {name!r} is the folder {remote.path}, which is not there: is its disk mounted? "
            f"For a new one, `mkdir -p {remote.path}`"
        )
    return remote
