"""A toy as a hospital would keep it: a clone, a bare repository and a DVC remote beside it, three states made.

The addresses of both remotes are relative, as they may be. The clone's pipeline of two shell commands
ran three times, so that a test comes to a newer state by `git checkout newer -- .`, without a run.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows import checkouts, pipeline, promotion
from tests.flows import toy

NAME = "hospital"
DVC_YAML = """\
stages:
  fit:
    cmd: mkdir -p data/models/right && cat params.yaml > data/models/right/weights.txt
    params: [seed]
    outs: [data/models/right]
  export:
    cmd: mkdir -p data/exported/right/maps && (echo onnx; cat data/models/right/weights.txt) > data/exported/right/model.onnx && echo maps > data/exported/right/maps/about.txt
    deps: [data/models/right]
    outs: [data/exported/right]
"""
PARAMS = "seed: {seed}\nexport: {{models: [right]}}\ngate: {{models: [right]}}\n"
CONFIG = """\
[core]
    analytics = false
    check_update = false
    remote = storage
['remote "storage"']
    url = ../../storage
"""
# settings of a person's clone that must neither stop the bot nor take part in what it does
PERSON = {
    "commit.gpgSign": "true",
    "tag.gpgSign": "true",
    "push.gpgSign": "true",
    "gpg.program": "/bin/false",
    "core.hooksPath": "hooks of a person",
    "user.useConfigOnly": "true",
    "push.followTags": "true",
    "push.default": "nothing",
    "fetch.prune": "true",
    "fetch.pruneTags": "true",
    "remote.origin.tagOpt": "--tags",
}
HOOKS = ("pre-commit", "commit-msg", "post-commit", "pre-push", "post-checkout", "reference-transaction")  # fmt: skip


@functools.cache
def made(folder: Path) -> Path:
    """Return what `make` makes, once per session, in a folder that all tests share; not to be changed."""
    return make(folder / "made")


@functools.cache
def promoted(folder: Path) -> Path:
    """Return the same with v1.0.0 of the state `newer` and v1.1.0, which is prod, of `newest`."""
    clone = copy(made(folder), folder / "promoted")
    for state in ("newer", "newest"):
        tree = worktree(clone, state)
        promotion.promote(tree, name=NAME, branch="main", message=f"made of {state}")
        checkouts.remove(tree, root=clone)
    return clone


def make(folder: Path) -> Path:
    """Make clone, remote and storage in `folder`; return the clone, whose first state is pushed."""
    clone = folder / "a clone"
    clone.mkdir(parents=True)
    (folder / "storage").mkdir()
    toy.git(clone, "init", "-q", "-b", "main")
    files = {
        ".dvc/config": CONFIG,
        ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
        ".gitignore": "/data/*\n!/data/raw/\n/data/raw/*\n!/data/raw/*.dvc\n/.worktrees/\n",
        "dvc.yaml": DVC_YAML,
        "reports/arrivals.csv": "arrival\n",
    }
    for name, text in files.items():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text(text)
    run(clone, 7)
    toy.git(folder, "init", "-q", "--bare", "-b", "main", "origin.git")
    toy.git(clone, "remote", "add", "origin", "../origin.git")
    toy.git(clone, "push", "-q", "origin", "main")
    for branch, seed in (("newer", 8), ("newest", 9)):
        toy.git(clone, "switch", "-q", "-c", branch)
        run(clone, seed)
    toy.git(clone, "switch", "-q", "main")
    with _repo(clone) as repo:
        repo.checkout(force=True)
    return clone


def run(clone: Path, seed: int) -> None:
    """Let the pipeline make the model of a seed, and commit."""
    (clone / "params.yaml").write_text(PARAMS.format(seed=seed))
    with _repo(clone) as repo:
        repo.reproduce()
    toy.commit(clone, f"seed {seed}")


@contextlib.contextmanager
def _repo(clone: Path) -> Iterator[Any]:
    """Yield DVC's view of a clone, from within: DVC takes targets to count from there."""
    from dvc.repo import Repo

    with contextlib.chdir(clone), contextlib.closing(Repo(str(clone))) as repo:
        yield repo


def git(root: Path, *words: str) -> str:
    """Run git as a person who turns their own hooks and signatures off."""
    return toy.git(root, "-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false",
                   "-c", "tag.gpgSign=false", *words)  # fmt: skip


def copy(clone: Path, folder: Path) -> Path:
    """Copy clone, remote and storage; return the new clone, a person's, with settings and hooks of theirs."""
    shutil.copytree(clone.parent, folder, symlinks=True)
    fresh = folder / clone.name
    for key, value in PERSON.items():
        toy.git(fresh, "config", key, value)
    hooks = fresh / "hooks of a person"
    hooks.mkdir(exist_ok=True)
    for hook in HOOKS:
        (hooks / hook).write_text(f"#!/bin/sh\ntouch '{folder}/hook {hook} ran'\nexit 1\n")
        (hooks / hook).chmod(0o755)
    with (fresh / ".git/info/exclude").open("a") as file:
        file.write("hooks of a person\n")
    return fresh


def worktree(clone: Path, state: str | None = "newer", *, name: str = "one") -> Path:
    """Return a worktree at origin/main with the files of a state of `make` staged in it."""
    git(clone, "fetch", "-q", "--no-tags", "--no-prune", "origin")
    folder = (clone / checkouts.FOLDER / name).resolve()
    git(clone, "worktree", "add", "-q", "--detach", str(folder), "origin/main")
    pipeline.share_cache(folder, of=clone)
    if state:
        git(folder, "checkout", "-q", state, "--", ".")
    return folder


def refs(clone: Path) -> dict[str, str]:
    """Return {ref: object} of the bare remote."""
    words = toy.git(
        clone.parent / "origin.git", "for-each-ref", "--format=%(refname) %(objectname)"
    )
    return dict(line.split() for line in words.splitlines())  # type: ignore[misc]


def tags(clone: Path) -> list[str]:
    """Return the tags of the bare remote, sorted."""
    return sorted(ref.removeprefix("refs/tags/") for ref in refs(clone) if "/tags/" in ref)


def stored(clone: Path) -> dict[str, Path]:
    """Return the objects of the DVC remote by their names."""
    folder = clone.parent / "storage/files/md5"
    return {path.parent.name + path.name: path for path in sorted(folder.glob("??/*"))}


def check_tags_have_data(clone: Path) -> None:
    """Fail unless all data of every tagged commit lie on the DVC remote, byte for byte."""
    objects = stored(clone)
    for md5, path in objects.items():
        assert hashlib.md5(path.read_bytes()).hexdigest() == md5.removesuffix(".dir")
    for tag in tags(clone):
        lock = toy.git(clone.parent / "origin.git", "show", f"{tag}^{{commit}}:dvc.lock")
        entries = pipeline.parse_lock(lock).values()
        for out in (out for entry in entries for out in entry["outs"]):
            if out["path"].startswith("data/"):
                assert out["md5"] in objects, (tag, out["path"])
                for file in _listed(objects[out["md5"]]):
                    assert file in objects, (tag, out["path"])


def _listed(path: Path) -> list[str]:
    return [file["md5"] for file in json.loads(path.read_text())]


def gto(clone: Path, *words: str) -> str:
    """Return what GTO's own program says of the clone."""
    command = [str(Path(sys.executable).with_name("gto")), *words]
    environment = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
