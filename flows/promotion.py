"""promotion: publish what a worktree holds: a commit, its data and its tags, or nothing at all.

Data go first, then branch and tags in one push that the remote takes whole or not at all. Until then
this clone has no tag and no branch that names the new commit, so that whoever dies on the way, at any
point, leaves nothing behind but objects that nobody refers to; called again in the same worktree, it
goes on where it stopped.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from flows import origin, pipeline, repository, store, study, versions
from flows.versions import Version

MODELS, EXPORTED = "data/models", "data/exported"


def promote(
    folder: Path, *, name: str, branch: str, message: str, remote: str = "origin"
) -> Version:
    """Commit what is staged in a worktree, register it as the next version and make that one prod.

    `folder` is a worktree of its own, on no branch, with everything written and `git add`ed. Where
    nothing is staged, the commit that is there is taken: an earlier call may have made it, or even
    have ended but for the answer, and then its version is returned.

    Raises ValueError before anything is done where something is missing, Overtaken if someone else
    published meanwhile (no tag was written: start afresh), Unreachable if a remote does not answer
    (call again), Failed if it refuses.
    """
    versions.check_name(name)
    clone = _begin(folder, branch, remote, name=name)
    if not _staged(folder):
        head = repository.commit("HEAD", root=folder)
        for version in versions.versions(name, clone):
            if version.commit == head:
                return version
    _all_staged(folder)
    _follows(folder, branch, remote)
    made = delivered(_parameters(folder), pipeline.read_lock(folder))
    with store.opened(folder) as kept:
        _whole(kept, made)
    commit = _commit(folder, message)
    _deliver(folder, made)
    number = versions.next_number(name, clone)
    new = {f"refs/heads/{branch}": commit}
    for tag in (f"{name}@{number}", next_assignment(name, clone)):
        new[f"refs/tags/{tag}"] = annotate(tag, commit, message, name=name, clone=clone)
    origin.send(clone, new, remote=remote)
    origin.bring(clone, name=name, branch=branch, remote=remote)
    return versions.find(name, number, clone)


def publish(folder: Path, *, branch: str, message: str, remote: str = "origin") -> str:
    """Commit what is staged in a worktree and push it to the branch, no data and no tags; return the commit.

    What is not staged stays where it is. Called again it goes on where it stopped. Raises as `promote`
    does; ValueError if the lock file or a pointer to data is staged, since their data would be nowhere.
    """
    clone = _begin(folder, branch, remote)
    if staged := _staged(folder):
        data = [path for path in staged if path == pipeline.LOCK_FILE or path.endswith(".dvc")]
        if data:
            raise ValueError(
                f"{data[0]} is staged, but its data are not published with it: `git restore --staged "
                f"{data[0]}`, or promote"
            )
        _follows(folder, branch, remote)
    commit = _commit(folder, message)
    if not _ancestor(commit, f"refs/remotes/{remote}/{branch}", clone):
        origin.send(clone, {f"refs/heads/{branch}": commit}, remote=remote)
        origin.bring(clone, branch=branch, remote=remote)
    return commit


def delivered(parameters: dict[str, Any], lock: dict[str, Any]) -> dict[str, str]:
    """Return {path: md5} of a version's model and of its export, as parameters and lock file name them.

    The model is the one that the gate judges (`gate.models`), else the only exported one. Raises
    ValueError if there is none such.
    """
    exported = (parameters.get("export") or {}).get("models") or []
    chosen = (parameters.get("gate") or {}).get("models") or exported
    if len(chosen) != 1:
        raise ValueError(
            f"params.yaml: which model is it? gate.models names none, export.models {len(exported)}: "
            "name one in gate.models of the study"
        )
    paths = (f"{MODELS}/{chosen[0]}", f"{EXPORTED}/{chosen[0]}")
    outs = {out["path"]: out["md5"] for entry in lock.values() for out in entry.get("outs", [])}
    if missing := [path for path in paths if path not in outs]:
        raise ValueError(
            f"{pipeline.LOCK_FILE} has no {missing[0]}: the model must be made and exported first, so "
            "name it in export.models too and run the pipeline"
        )
    return {path: outs[path] for path in paths}


def next_assignment(name: str, clone: Path) -> str:
    """Return the tag that makes a version prod."""
    return f"{name}#{versions.STAGE}#{versions.next_counter(name, clone)}"


def annotate(tag: str, commit: str, message: str, *, name: str, clone: Path) -> str:
    """Write a tag of a commit as an object that no ref names yet; return the object.

    Its date is later than that of every tag of the name: GTO goes by dates of whole seconds.
    """
    seconds = max(int(time.time()), versions.newest_date(name, clone) + 1)
    bot = f"{origin.BOT['NAME']} <{origin.BOT['EMAIL']}>"
    head = f"object {commit}\ntype commit\ntag {tag}\ntagger {bot} {seconds} +0000\n"
    return origin.git("mktag", root=clone, text=f"{head}\n{message.strip()}\n").strip()


def _begin(folder: Path, branch: str, remote: str, *, name: str | None = None) -> Path:
    """Check that publishing is possible and learn what the remote has; return the clone."""
    if current := origin.git("branch", "--show-current", root=folder).strip():
        raise ValueError(
            f"{folder} is on the branch {current}, which is somebody's: publish from a worktree of its own "
            "(`git worktree add --detach`)"
        )
    clone = origin.home(folder)
    origin.check(folder, branch=branch, remote=remote)
    store.share(folder, of=clone)
    origin.bring(clone, name=name, branch=branch, remote=remote)
    return clone


def _staged(folder: Path) -> list[str]:
    """Return the paths that differ between HEAD and what is staged."""
    words = origin.git("diff", "--cached", "--name-only", "--no-renames", "-z", "HEAD", root=folder)
    return [path for path in words.split("\0") if path]


def _all_staged(folder: Path) -> None:
    """Raise ValueError if files differ from what is staged: DVC publishes the data of the files."""
    words = origin.git(
        "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", root=folder
    )
    loose = sorted(line[3:] for line in words.split("\0") if line and line[1] != " ")
    if loose:
        raise ValueError(
            f"{len(loose)} files of {folder} are not staged, first {loose[0]}: `git add` what belongs to "
            "the version and remove the rest"
        )


def _follows(folder: Path, branch: str, remote: str) -> None:
    """Raise Overtaken unless the worktree builds upon all that the branch holds."""
    if not _ancestor(f"refs/remotes/{remote}/{branch}", "HEAD", folder):
        raise origin.Overtaken(
            f"{remote}/{branch} holds commits that this work does not know, so nothing was published: "
            "start again from there"
        )


def _ancestor(one: str, other: str, root: Path) -> bool:
    """Tell whether `other` holds all that `one` does."""
    return not origin.git("rev-list", "--max-count=1", one, f"^{other}", root=root).strip()


def _commit(folder: Path, message: str) -> str:
    """Commit what is staged, if anything, as the bot and without hooks or signature; return HEAD."""
    head = repository.commit("HEAD", root=folder)
    tree = origin.git("write-tree", root=folder).strip()
    if tree == origin.git("rev-parse", "HEAD^{tree}", root=folder).strip():
        return head
    text = f"{message.strip()}\n"
    commit = origin.git("commit-tree", tree, "-p", head, root=folder, text=text).strip()
    origin.git("update-ref", "--no-deref", "HEAD", commit, head, root=folder)
    return commit


def _deliver(folder: Path, made: dict[str, str]) -> None:
    """Bring all that the commit names to the DVC remote and look that it is there, the model byte by byte."""
    store.push(folder)
    named = store.outputs(folder)
    with store.opened(folder) as kept:
        kept.complete(kept.contents(named))
        _whole(kept, made)


def _whole(kept: store.Store, made: dict[str, str]) -> None:
    """Raise ValueError if the model or its export is damaged or gone."""
    if faults := kept.faults(kept.contents(made)):
        raise ValueError("\n".join(faults))


def _parameters(folder: Path) -> dict[str, Any]:
    return study.parse((folder / study.PARAMS_FILE).read_text(encoding="utf-8"), where=str(study.PARAMS_FILE))  # fmt: skip
