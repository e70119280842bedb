"""What the git remote holds is learned and changed at once, whatever a person's clone is set to."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from flows import origin, pipeline
from tests.flows import toy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository of two commits, the older one pushed to a bare one beside it."""
    root = tmp_path / "clone"
    root.mkdir()
    (tmp_path / "storage").mkdir()
    toy.git(root, "init", "-q", "-b", "main")
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text(
        "[core]\n    remote = storage\n['remote \"storage\"']\n    url = ../../storage\n"
    )
    toy.commit(root, "older")
    toy.git(tmp_path, "init", "-q", "--bare", "-b", "main", "origin.git")
    toy.git(root, "remote", "add", "origin", "../origin.git")
    toy.git(root, "push", "-q", "origin", "main")
    (root / "file").write_text("newer")
    toy.commit(root, "newer")
    return root


def bare(clone: Path, *words: str) -> str:
    return toy.git(clone.parent / "origin.git", *words)


def head(clone: Path, revision: str = "HEAD") -> str:
    return toy.git(clone, "rev-parse", revision).strip()


def hook(clone: Path, name: str, text: str) -> None:
    path = clone.parent / "origin.git/hooks" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_tags_of_the_registry_come_and_others_stay(clone: Path) -> None:
    toy.git(clone, "tag", "mine", "HEAD")
    for tag in ("hospital@v1.0.0", "hospital#prod#1", "clinic@v1.0.0", "release"):
        bare(clone, "tag", tag, "main")
    toy.git(clone, "config", "fetch.prune", "true")
    toy.git(clone, "config", "fetch.pruneTags", "true")
    origin.bring(clone, name="hospital", branch="main")
    assert toy.git(clone, "tag").split() == ["hospital#prod#1", "hospital@v1.0.0", "mine"]
    assert head(clone, "origin/main") == head(clone, "HEAD~1")
    origin.bring(clone)
    assert toy.git(clone, "tag").split() == ["clinic@v1.0.0", "hospital#prod#1", "hospital@v1.0.0", "mine"]  # fmt: skip
    assert not (clone / ".git/FETCH_HEAD").exists()


@pytest.mark.parametrize("there", [False, True])
def test_a_tag_that_only_this_clone_has_is_told_with_the_cure(clone: Path, there: bool) -> None:
    toy.git(clone, "tag", "hospital@v1.0.0", "HEAD")
    if there:
        bare(clone, "tag", "hospital@v1.0.0", "main")
    with pytest.raises(ValueError, match=r"`git tag -d 'hospital@v1\.0\.0'`"):
        origin.bring(clone, name="hospital")
    origin.bring(clone, name="clinic")


def test_refs_are_sent_together_or_not_at_all(clone: Path) -> None:
    new = {"refs/heads/main": head(clone), "refs/tags/hospital@v1.0.0": head(clone)}
    origin.send(clone, new)
    assert origin.refs(clone) == new
    toy.git(clone, "commit", "-q", "--allow-empty", "-m", "newest")
    with pytest.raises(origin.Overtaken, match="someone else published"):  # the tag is taken
        origin.send(clone, {ref: head(clone) for ref in new})
    with pytest.raises(origin.Overtaken):  # the branch would go back
        origin.send(clone, {"refs/heads/main": head(clone, "HEAD~2"), "refs/tags/x": head(clone)})
    assert origin.refs(clone) == new


def test_a_push_of_someone_else_during_ours_is_told_as_such(clone: Path) -> None:
    other = bare(clone, "commit-tree", "-p", "main", "-m", "other", "main^{tree}").strip()
    hook(clone, "pre-receive", f"unset GIT_QUARANTINE_PATH\ngit update-ref refs/heads/main {other}")
    with pytest.raises(origin.Overtaken):
        origin.send(clone, {"refs/heads/main": head(clone), "refs/tags/x": head(clone)})
    assert origin.refs(clone) == {"refs/heads/main": other}


def test_a_remote_that_refuses_is_told_in_its_own_words(clone: Path) -> None:
    hook(clone, "pre-receive", "echo only on weekdays\nexit 1")
    with pytest.raises(
        pipeline.Failed, match=r"only on weekdays.*pre-receive hook declined"
    ) as told:
        origin.send(clone, {"refs/heads/main": head(clone)})
    assert type(told.value) is pipeline.Failed


def test_a_remote_that_is_not_there_or_silent_is_worth_a_retry(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clone.parent / "origin.git").rename(clone.parent / "away.git")
    for call in (origin.refs, origin.bring, lambda clone: origin.send(clone, {"refs/tags/x": head(clone)})):  # fmt: skip
        with pytest.raises(pipeline.Unreachable, match=r"git remote 'origin': .*origin\.git"):
            call(clone)
    toy.git(clone, "remote", "set-url", "origin", "ssh://nobody/nothing")
    toy.git(clone, "config", "core.sshCommand", f"sleep 60 # {clone}")
    monkeypatch.setattr(origin, "LIMIT_S", 1)
    start = time.monotonic()
    with pytest.raises(pipeline.Unreachable, match="no answer within 1 s"):
        origin.refs(clone)
    assert time.monotonic() - start < 30
    left = subprocess.run(["pgrep", "-f", f"sleep 60 # {clone}"], capture_output=True, text=True)
    assert left.stdout == ""


def test_what_publishing_needs_is_told_with_the_commands(clone: Path) -> None:
    origin.check(clone, branch="main")
    with pytest.raises(ValueError, match=r"has no branch 'trial': `git push origin HEAD:refs/heads/trial`"):  # fmt: skip
        origin.check(clone, branch="trial")
    config = (clone / ".dvc/config").read_text()
    (clone / ".dvc/config").write_text("")
    with pytest.raises(ValueError, match=r"no default DVC remote.*`dvc remote add --default"):
        origin.check(clone, branch="main")
    (clone / ".dvc/config").write_text(config.partition("['remote")[2].join(["['remote", ""]))
    with pytest.raises(ValueError, match="choose one of storage by `dvc remote default <name>`"):
        origin.check(clone, branch="main")
    toy.git(clone, "remote", "remove", "origin")
    with pytest.raises(ValueError, match=r"no git remote 'origin'(.|\n)*git remote add origin"):
        origin.check(clone, branch="main")


def test_a_remote_whose_branch_is_in_use_is_told_with_the_cure(clone: Path) -> None:
    desk = clone.parent / "desk"
    toy.git(clone.parent, "clone", "-q", "origin.git", "desk")
    toy.git(clone, "remote", "set-url", "origin", "../desk")
    words = r"\.\./desk is a checkout in which the branch 'main' is in use(.|\n)*git clone --bare"
    with pytest.raises(ValueError, match=words):
        origin.check(clone, branch="main")
    with pytest.raises(ValueError, match=words):
        origin.send(clone, {"refs/heads/main": head(clone), "refs/tags/x": head(clone)})
    assert toy.git(desk, "tag") == ""
    toy.git(desk, "switch", "-q", "--detach")
    origin.check(clone, branch="main")
    origin.send(clone, {"refs/heads/main": head(clone)})


def test_a_worktree_belongs_to_its_clone(clone: Path) -> None:
    folder = clone.parent / "elsewhere" / "a worktree"
    toy.git(clone, "worktree", "add", "-q", "--detach", str(folder))
    assert origin.home(folder) == origin.home(clone) == clone.resolve()


def test_words_are_english_whatever_the_language(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setitem(os.environ, "LC_ALL", "de_DE.UTF-8")
    monkeypatch.setitem(os.environ, "LANGUAGE", "de")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "somebody@example.org")
    said = origin.git("var", "GIT_COMMITTER_IDENT", root=clone)
    assert said.startswith("cxrepro <cxrepro@bot.invalid>")
    with pytest.raises(ValueError, match="not a valid object name"):
        origin.git("branch", "x", "nowhere", root=clone)
