"""A corpus of evil trees, made with real git and DVC: what each brings, and what a guard must say of it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.flows import deployed, toy

CANARY = "bytes that nobody may touch"
MD5 = "0" * 32
ENTRY = "ab/" + "ab" + "c" * 62 + "/" + "d" * 64


def link(path: str, target: str) -> Callable[[Path], None]:
    """Return what puts a link into a clone."""

    def make(clone: Path) -> None:
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).symlink_to(target)

    return make


def links(**targets: str) -> Callable[[Path], None]:
    """Return what puts links into a clone; `__` in a name stands for `/`."""

    def make(clone: Path) -> None:
        for path, target in targets.items():
            link(path.replace("__", "/"), target)(clone)

    return make


def text(path: str, content: str) -> Callable[[Path], None]:
    """Return what puts a file into a clone."""

    def make(clone: Path) -> None:
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_text(content)

    return make


def pointer(out: str, path: str = "data/raw/x.dvc") -> Callable[[Path], None]:
    """Return what puts a pointer of DVC into a clone."""
    return text(path, f"outs:\n- {out}\n")


def lock(out: str) -> Callable[[Path], None]:
    """Return what puts an output into the lock file."""
    entry = f"schema: '2.0'\nstages:\n  fit:\n    cmd: fit\n    outs:\n    - {out}\n"
    return text("dvc.lock", entry)


COMMITS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a link out": (link("evil", "../outside"), "is a link out of the tree"),
    "a link out of a folder": (link("data/pruned", "../../outside"), "is a link out of the tree"),
    "an absolute link": (link("evil", "/etc"), "is an absolute link"),
    "a link into the hooks": (link("data/evil", "../.git/hooks"), "is a link into .git"),
    "a link into .GIT": (link("evil", ".GIT/hooks"), "is a link into .GIT"),
    "a link to DVC's settings": (link("data/evil", "../.dvc"), "is a link into .dvc"),
    "links that only together lead out": (
        links(data__two="..", evil="data/two/../outside"), "is a link out of the tree",
    ),
    "a link to an absolute link": (links(one="two/x", two="/etc"), "is a link to an absolute one"),
    "links in a circle": (links(one="two", two="one"), "is a link in a circle"),
    "a pointer out": (pointer("path: ../../../outside/x"), "leads out of the tree"),
    "a pointer to an absolute path": (pointer("path: /etc/x"), "is absolute"),
    "a pointer to another storage": (pointer("path: s3://bucket/x"), "is no path of the tree"),
    "a pointer into git's folder": (pointer("path: ../../.git/hooks/x"), "leads into .git"),
    "a pointer into DVC's folder": (pointer("path: ../../.dvc/config"), "leads into .dvc"),
    "a pointer at the tree": (pointer("path: ../.."), "is the tree itself"),
    "a pointer that works elsewhere": (
        text("x.dvc", "wdir: ../outside\nouts:\n- path: x\n"), "leads out of the tree",
    ),
    "a hash that is a path": (pointer("{path: x, md5: ../../../outside/x}"), "is no hash"),
    "files that a pointer lists": (
        pointer(f"{{path: x, files: [{{relpath: ../../../x, md5: {MD5}}}]}}"), "leads out of the tree",
    ),
    "a pointer that is no YAML": (text("x.dvc", "outs: [\n"), "is no YAML mapping"),
    "a lock file that leads out": (lock("path: ../outside/x"), "leads out of the tree"),
    "a lock file whose hash is a path": (lock("{path: x, md5: /etc/x}"), "is no hash"),
    "an old lock file that leads out": (
        text("sub/dvc.lock", "fit:\n  cmd: fit\n  outs:\n  - path: ../../outside\n"),
        "leads out of the tree",
    ),
    "settings that write elsewhere": (
        text(".dvc/config", "[core]\n    site_cache_dir = /outside\n"), "leads out of the tree",
    ),
}  # fmt: skip
"""By name: what makes the commit, and the fault."""

LISTS: dict[str, tuple[object, str]] = {
    "a file out": ([{"md5": MD5, "relpath": "../../../../outside/x"}], "leads out of the tree"),
    "an absolute file": ([{"md5": MD5, "relpath": "/outside/x"}], "is absolute"),
    "a file in git's folder": ([{"md5": MD5, "relpath": "a/.git/hooks/x"}], "leads into .git"),
    "a hash that is a path": ([{"md5": "../../../../outside/x", "relpath": "x"}], "is no hash"),
    "no hash": ([{"relpath": "x"}], "is no hash"),
    "a file in a file": (
        [{"md5": MD5, "relpath": "a"}, {"md5": MD5, "relpath": "a/b"}], "lies in another file",
    ),
    "a file twice": ([{"md5": MD5, "relpath": "a"}] * 2, "names a file twice"),
    "an empty name": ([{"md5": MD5, "relpath": ""}], "is no path"),
    "a name with detours": ([{"md5": MD5, "relpath": "a//b"}], "is no plain path"),
    "no list": ({"relpath": "x"}, "is no list of files"),
}  # fmt: skip
"""By name: the content of a folder's list on the remote, and the fault."""

RUNS: dict[str, tuple[str, str, str]] = {
    "an output out": (ENTRY, "cmd: x\nouts:\n- path: ../outside/x\n", "leads out of the tree"),
    "a hash that is a path": (ENTRY, "cmd: x\nouts:\n- {path: x, md5: ../x}\n", "is no hash"),
    "no YAML": (ENTRY, "outs: [", "is no YAML mapping"),
    "a name that is none": ("ab/short/name", "cmd: x\n", "is no entry of a run cache"),
}
"""By name: name and content of an entry of the run cache on the remote, and the fault."""


def outside(clone: Path) -> Path:
    """Make the place beside a clone that nothing may touch."""
    folder = clone.parent / "outside"
    folder.mkdir()
    (folder / "canary").write_text(CANARY)
    return folder


def untouched(clone: Path) -> bool:
    """Tell whether nothing was written outside, nor into git's hooks or DVC's settings of the clone."""
    folder = clone.parent / "outside"
    return (
        [path.name for path in folder.iterdir()] == ["canary"]
        and (folder / "canary").read_text() == CANARY
        and not (clone / ".git/hooks/x").exists()
        and "remote = storage" in (clone / ".dvc/config").read_text()
    )


def commit(clone: Path, make: Callable[[Path], None]) -> str:
    """Commit evil on top of a clone's main branch and take it off the disk again; return the commit."""
    make(clone)
    deployed.git(clone, "add", "-A", "--force", ":(exclude).dvc/cache", ":(exclude).dvc/tmp", ":(exclude)data/exported", ":(exclude).dvc/config.local")  # fmt: skip
    deployed.git(clone, "commit", "-q", "-m", "evil")
    found = toy.git(clone, "rev-parse", "HEAD").strip()
    deployed.git(clone, "reset", "-q", "--hard", "HEAD~1")
    return found


def tree(clone: Path, *names: str) -> str:
    """Commit a tree that git would never add: a file below these folders, made object by object."""
    words = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=clone, input="#!/bin/sh\n", text=True,
        check=True, capture_output=True,
    ).stdout.strip()  # fmt: skip
    entry = f"100755 blob {words}\tx"
    for name in reversed(names):
        made = subprocess.run(["git", "mktree"], cwd=clone, input=f"{entry}\n", text=True, check=True, capture_output=True)  # fmt: skip
        entry = f"040000 tree {made.stdout.strip()}\t{name}"
    made = subprocess.run(["git", "mktree"], cwd=clone, input=f"{entry}\n", text=True, check=True, capture_output=True)  # fmt: skip
    return toy.git(clone, "commit-tree", made.stdout.strip(), "-m", "evil").strip()


def listed(clone: Path, content: object) -> str:
    """Put a folder's list on the clone's DVC remote and commit a pointer to it; return the list's hash."""
    data = json.dumps(content).encode()
    md5 = f"{hashlib.md5(data).hexdigest()}.dir"
    store(clone, md5, data)
    store(clone, MD5, b"evil")
    (clone / "data/raw").mkdir(parents=True, exist_ok=True)
    (clone / "data/raw/x.dvc").write_text(f"outs:\n- md5: {md5}\n  hash: md5\n  path: x\n")
    deployed.git(clone, "add", "-A")
    deployed.git(clone, "commit", "-q", "-m", "evil")
    return md5


def store(clone: Path, md5: str, data: bytes) -> Path:
    """Put an object on the clone's DVC remote."""
    path = clone.parent / "storage/files/md5" / md5[:2] / md5[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def devices(folder: Path) -> dict[str, str]:
    """Put a pipe, and a device where we may make one, into a folder; return {path: fault}."""
    os.mkfifo(folder / "pipe")
    found = {"pipe": "is neither a file nor a folder"}
    if os.getuid() == 0:
        os.mknod(folder / "null", 0o600 | 0o020000, os.makedev(1, 3))
        found["null"] = "is neither a file nor a folder"
    return found
