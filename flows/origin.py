"""origin: the git remote of a clone: what it holds, what is brought from it, what is sent to it at once.

Nothing of the clone's own settings takes part: no hook, no signature, no tag of a person's that would
follow, nobody's name but the bot's. The address and how to log in are the clone's; nobody is asked for
a password, a silent remote is given up after a while.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from flows import pipeline, processes, repository, store, versions

BOT = {"NAME": "cxrepro", "EMAIL": "cxrepro@bot.invalid"}
"""Who writes commits and tags (RFC 2606 keeps `.invalid` free of real addresses)."""
LIMIT_S = 900
"""How long git may talk with a remote."""
_SETTINGS = (
    "core.quotePath=false",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "i18n.commitEncoding=UTF-8",
    "push.pushOption=",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
)
# git's words, in English by LC_ALL, where another push moved a ref while ours was under way
_RACE = ("but expected", "reference already exists", "incorrect old value", "File exists")
_EVERY_TIME = ("Please make sure you have the correct access rights", "and the repository exists.")


class Overtaken(pipeline.Failed):
    """Someone else published first: nothing of ours was; starting afresh from theirs helps."""


def home(folder: Path) -> Path:
    """Return the clone that a worktree belongs to, or itself: relative addresses count from there."""
    return repository.worktrees(root=folder)[0]


def git(*words: str, root: Path, text: str | None = None) -> str:
    """Return what git prints, as the bot, with `text` for its input; raise ValueError with its complaint."""
    result = subprocess.run(
        _command(words), cwd=root, env=_environment(), input=text, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if result.returncode:
        raise ValueError(f"git {words[0]}: {' '.join(result.stderr.split()) or 'failed'}")
    return result.stdout


def check(folder: Path, *, branch: str | None = None, remote: str = "origin") -> None:
    """Raise ValueError, with the cure, unless results could be published from here; nothing is changed.

    Raises Unreachable if the git remote does not answer. Worth a look before hours of computing.
    """
    clone = home(folder)
    url = address(clone, branch=branch, remote=remote)
    store.check(clone)
    held = refs(clone, remote=remote)
    if branch and f"refs/heads/{branch}" not in held:
        raise ValueError(
            f"{url} has no branch {branch!r}: `git push {remote} HEAD:refs/heads/{branch}` makes it"
        )
    if branch and _in_use(clone / url.removeprefix("file://"), branch):
        raise ValueError(_checked_out(url, branch, remote))


def address(clone: Path, *, branch: str | None = None, remote: str = "origin") -> str:
    """Return the address of the git remote; raise ValueError, with the cure, where there is none."""
    try:
        return git("remote", "get-url", remote, root=clone).strip()
    except ValueError:
        raise ValueError(
            f"{clone} has no git remote {remote!r}, where results go: give it an empty repository "
            f"(`git init --bare <folder>` makes one) by `git remote add {remote} <folder or URL>`, then "
            f"`git push {remote} HEAD:refs/heads/{branch or 'main'}`"
        ) from None


def refs(clone: Path, *, remote: str = "origin") -> dict[str, str]:
    """Return {ref: object} of the remote's branches and tags; raise Unreachable."""
    code, text = _talk("ls-remote", "--heads", "--tags", "--refs", remote, root=clone)
    if code:
        raise pipeline.Unreachable(f"git remote {remote!r}: {_complaint(text)}")
    found = re.findall(r"^([0-9a-f]{40,64})\t(refs/\S+)$", text, flags=re.MULTILINE)
    return {ref: value for value, ref in found}


def bring(
    clone: Path, *, name: str | None = None, branch: str | None = None, remote: str = "origin"
) -> None:
    """Fetch the registry's tags, of one name or of all, and a branch; raise Unreachable.

    Raises ValueError if this clone has such a tag that the remote has not, or another of that name:
    the numbers of versions are the remote's to give.
    """
    there, here = refs(clone, remote=remote), _tags(clone)
    wanted = {
        ref: value
        for ref, value in there.items()
        if _of_registry(ref, name) and ref not in here
    }  # fmt: skip
    for ref, value in here.items():
        if _of_registry(ref, name) and there.get(ref) != value:
            tag = ref.removeprefix("refs/tags/")
            raise ValueError(
                f"the tag {tag} of this clone is not the one of {remote}: "
                f"send it (`git push {remote} '{ref}'`) or remove it (`git tag -d '{tag}'`)"
            )
    specs = [f"{ref}:{ref}" for ref in sorted(wanted)]
    if branch:
        specs.append(f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}")
    if specs:
        options = ("--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head",
                   "--recurse-submodules=no")  # fmt: skip
        code, text = _talk("fetch", *options, remote, *specs, root=clone)
        if code:
            raise pipeline.Unreachable(f"git remote {remote!r}: {_complaint(text)}")


def send(clone: Path, new: Mapping[str, str], *, remote: str = "origin") -> None:
    """Give refs of the remote, {ref: object}, these values: all of them or none.

    Branches only go forward and tags are new: raises Overtaken where that can't be, Failed where the
    remote does not want it, Unreachable where it does not answer.
    """
    options = ("--porcelain", "--atomic", "--no-verify", "--no-signed", "--no-follow-tags",
               "--recurse-submodules=no")  # fmt: skip
    specs = [f"{value}:{ref}" for ref, value in new.items()]
    code, text = _talk("push", *options, remote, *specs, root=clone)
    if not code:
        return
    refused = [line for line in text.splitlines() if line.startswith("!\t")]
    if not refused:
        raise pipeline.Unreachable(f"git remote {remote!r}: {_complaint(text)}")
    if "branch is currently checked out" in text:
        url = git("remote", "get-url", remote, root=clone).strip()
        branch = next(ref for ref in new if ref.startswith("refs/heads/"))
        raise ValueError(_checked_out(url, branch.removeprefix("refs/heads/"), remote))
    if any("[rejected]" in line for line in refused) or any(sign in text for sign in _RACE):
        raise Overtaken(
            f"someone else published to {remote} meanwhile, so nothing was: start again from there"
        )
    said = [line.strip() for line in text.splitlines() if line.startswith("remote:")]
    raise pipeline.Failed(
        f"git remote {remote!r} refused the push: {'; '.join([*said, *_reasons(refused)])}"
    )


def _talk(*words: str, root: Path) -> tuple[int, str]:
    """Run git against a remote; return its exit code and all that it said. It ends when we do."""
    command = _command(words)
    with processes.session(command, root, _environment(), piped=True) as process:
        clock = threading.Timer(LIMIT_S, os.killpg, (process.pid, signal.SIGKILL))
        clock.daemon = True
        clock.start()
        try:
            assert process.stdout is not None
            text = process.stdout.read()
            code = process.wait()
        finally:
            clock.cancel()
    return code, text if code >= 0 else f"{text}\nno answer within {LIMIT_S} s"


def _command(words: tuple[str, ...]) -> list[str]:
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    return ["git", *settings, *words]


def _environment() -> dict[str, str]:
    """Return the environment for git: the bot's name, English words, nobody there to type a password."""
    who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in BOT.items()}  # fmt: skip
    return {**os.environ, **who, "LC_ALL": "C", "LANGUAGE": "", "GIT_TERMINAL_PROMPT": "0"}


def _tags(clone: Path) -> dict[str, str]:
    """Return {ref: object} of the clone's own tags."""
    words = git("for-each-ref", "--format=%(refname) %(objectname)", "refs/tags", root=clone)
    return dict(line.split(" ") for line in words.splitlines())


def _of_registry(ref: str, name: str | None) -> bool:
    parts = versions.parse(ref.removeprefix("refs/tags/")) if ref.startswith("refs/tags/") else None
    return parts is not None and name in (None, parts["name"])


def _in_use(folder: Path, branch: str) -> bool:
    """Tell whether the remote is a checkout on this machine with the branch in use, which git protects."""
    if not folder.is_dir():
        return False
    try:
        bare = git("rev-parse", "--is-bare-repository", root=folder).strip()
        current = git("symbolic-ref", "--quiet", "HEAD", root=folder).strip()
    except ValueError:
        return False  # bare or not, nothing is checked out
    try:
        rule = git("config", "receive.denyCurrentBranch", root=folder).strip()
    except ValueError:
        rule = "refuse"
    return bare == "false" and current == f"refs/heads/{branch}" and rule in ("refuse", "true")


def _checked_out(url: str, branch: str, remote: str) -> str:
    return (
        f"{url} is a checkout in which the branch {branch!r} is in use, so git lets nobody push to it. Give "
        "results a repository without files:\n"
        f"  git clone --bare {url} <new folder>\n"
        f"  git remote set-url {remote} <new folder>\n"
        f"or leave the branch there: `git switch --detach` in {url}"
    )


def _reasons(refused: list[str]) -> list[str]:
    """Return what stands in brackets at the end of a push's lines, once each."""
    return list(dict.fromkeys(line.rpartition("\t")[2] for line in refused))


def _complaint(text: str) -> str:
    """Return the last words of a git that failed, in one line."""
    lines = [line.strip() for line in text.splitlines()]
    said = [line for line in lines if line and line not in _EVERY_TIME]
    return "; ".join(said[-3:]) or "git failed silently"
