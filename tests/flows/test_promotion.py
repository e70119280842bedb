"""A version is published whole or not at all: by whomever it is interrupted, whoever else publishes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows import checkouts, origin, pipeline, promotion, versions
from tests.flows import deployed, toy

# DVC's own libraries warn of each other; here they run inside the test's process
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FIRST = ["hospital#prod#1", "hospital@v1.0.0"]
SECOND = ["hospital#prod#1", "hospital#prod#2", "hospital@v1.0.0", "hospital@v1.1.0"]
# promotes a worktree and dies before or after a step
VICTIM = """\
import importlib, os, pathlib, signal, sys
module, step, when, folder = sys.argv[1:]
module = importlib.import_module(f"flows.{module}")
real = getattr(module, step)
def dying(*words, **options):
    if when == "after":
        real(*words, **options)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(module, step, dying)
from flows import promotion
promotion.promote(pathlib.Path(folder), name="hospital", branch="main", message="by a victim")
"""
PROMOTE = """\
import pathlib, sys
from flows import promotion
promotion.promote(pathlib.Path(sys.argv[1]), name="hospital", branch="main", message="by a victim")
"""


@pytest.fixture(autouse=True)
def nobodys_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of git but the clone's own, and a name in the environment that is not the bot's."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody")


def promote(folder: Path, message: str = "better on new data") -> versions.Version:
    return promotion.promote(folder, name="hospital", branch="main", message=message)


def again(clone: Path, folder: Path) -> Path:
    checkouts.remove(folder, root=clone)
    return folder


def own(clone: Path) -> tuple[str, ...]:
    """Return what of a clone is a person's: files, branches, HEAD, tags of no registry."""
    words = toy.git(clone, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/stash")  # fmt: skip
    head = toy.git(clone, "symbolic-ref", "HEAD")
    return words, head, toy.git(clone, "status", "--porcelain"), toy.git(clone, "tag", "-l", "private*")  # fmt: skip


def test_a_version_comes_with_commit_data_and_tags_and_leaves_a_persons_clone_alone(
    clone: Path,
) -> None:
    deployed.git(clone, "tag", "-a", "-m", "mine", "private", "main")
    (clone / "params.yaml").write_text("in the middle of something")
    before = own(clone)
    folder = deployed.worktree(clone)
    version = promote(folder, "better on new data\n\nall limits kept")
    assert (version.name, version.number, version.tag) == ("hospital", "v1.0.0", "hospital@v1.0.0")
    assert deployed.tags(clone) == FIRST
    assert deployed.refs(clone)["refs/heads/main"] == version.commit
    deployed.check_tags_have_data(clone)
    assert (clone.parent / "storage/runs").is_dir()
    said = toy.git(clone.parent / "origin.git", "log", "-1", "--format=%an|%ae|%cn|%s|%P", "main")
    parent = toy.git(clone, "rev-parse", "main").strip()
    assert said.strip() == f"cxrepro|cxrepro@bot.invalid|cxrepro|better on new data|{parent}"
    assert versions.production("hospital", clone) == version
    assert own(clone) == before and list(clone.parent.glob("hook * ran")) == []
    assert toy.git(folder, "status", "--porcelain") == ""
    assert promote(folder) == version and deployed.tags(clone) == FIRST


def test_gto_reads_what_two_quick_promotions_wrote(clone: Path) -> None:
    for state in ("newer", "newest"):
        promote(again_worktree(clone, state), f"made of {state}")
    shown = deployed.gto(clone, "show", "hospital", "--plain")
    assert "v1.1.0" in shown and "prod" in shown
    assert deployed.gto(clone, "show", "hospital#prod", "--ref").split() == ["hospital@v1.1.0"]
    assert deployed.gto(clone, "show", "hospital@latest", "--version").split() == ["v1.1.0"]
    history = deployed.gto(clone, "history", "hospital", "--plain", "--asc")
    assert history.index("v1.0.0") < history.index("v1.1.0")
    deployed.check_tags_have_data(clone)


def again_worktree(clone: Path, state: str) -> Path:
    """Return a fresh worktree, the one before removed."""
    checkouts.remove(clone / checkouts.FOLDER / "one", root=clone)
    return deployed.worktree(clone, state)


def test_who_comes_second_is_overtaken_and_starts_again(clone: Path) -> None:
    quick = deployed.worktree(clone, "newer", name="quick")
    slow = deployed.worktree(clone, "newest", name="slow")
    first = promote(quick)
    with pytest.raises(origin.Overtaken, match="start again from there"):
        promote(slow)
    assert deployed.tags(clone) == FIRST
    assert toy.git(slow, "rev-parse", "HEAD^{commit}") == toy.git(clone, "rev-parse", "main")
    second = promote(deployed.worktree(clone, "newest", name="afresh"))
    assert (second.number, deployed.tags(clone)) == ("v1.1.0", SECOND)
    assert toy.git(clone, "rev-parse", f"{second.commit}~1").strip() == first.commit


def test_two_at_the_same_moment_leave_one_version(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    slow = deployed.worktree(clone, "newest", name="slow")
    send = origin.send

    def meanwhile(*words: object, **options: object) -> None:
        monkeypatch.setattr(origin, "send", send)
        promote(deployed.worktree(clone, "newer", name="quick"))
        send(*words, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(origin, "send", meanwhile)
    with pytest.raises(origin.Overtaken, match="someone else published to origin"):
        promote(slow)
    assert deployed.tags(clone) == FIRST
    deployed.check_tags_have_data(clone)


STEPS = [
    ("promotion", "_commit", "after"),
    pytest.param("store", "push", "after", marks=pytest.mark.slow),
    pytest.param("origin", "send", "before", marks=pytest.mark.slow),
    pytest.param("origin", "send", "after", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("module", "step", "when"), STEPS)
@pytest.mark.parametrize("fresh", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_who_dies_at_a_step_leaves_no_tag_without_data_and_the_next_run_ends_it(
    clone: Path, module: str, step: str, when: str, fresh: bool
) -> None:
    before = own(clone)
    folder = deployed.worktree(clone)
    command = [sys.executable, "-c", VICTIM, module, step, when, str(folder)]
    died = subprocess.run(command, cwd=toy.ROOT, check=False, capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    sent = (step, when) == ("send", "after")
    assert deployed.tags(clone) == (FIRST if sent else [])
    assert toy.git(clone, "tag") == "" and own(clone) == before
    deployed.check_tags_have_data(clone)
    if fresh:
        folder = again_worktree(clone, "newer")
    assert promote(folder).number == "v1.0.0"
    assert deployed.tags(clone) == FIRST and own(clone) == before
    deployed.check_tags_have_data(clone)


@pytest.mark.parametrize("hook", ["pre-receive", "post-receive"])
@pytest.mark.slow
def test_who_dies_while_the_remote_takes_the_push_leaves_all_or_nothing(
    clone: Path, hook: str
) -> None:
    folder = deployed.worktree(clone)
    path = clone.parent / "origin.git/hooks" / hook
    path.write_text(f"#!/bin/sh\nkill -9 $(cat '{clone.parent}/pid')\nsleep 1\n")
    path.chmod(0o755)
    with subprocess.Popen([sys.executable, "-c", PROMOTE, str(folder)], cwd=toy.ROOT) as victim:
        (clone.parent / "pid").write_text(str(victim.pid))
    assert victim.returncode == -signal.SIGKILL
    time.sleep(3)  # what the remote has begun, it ends
    path.unlink()
    assert deployed.tags(clone) in ([], FIRST)
    deployed.check_tags_have_data(clone)
    assert promote(folder).number == "v1.0.0" and deployed.tags(clone) == FIRST


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1.2, 1.5, 1.8, 2.1, 2.4, 2.7, 3.0, 3.5])
def test_who_dies_at_any_moment_leaves_no_tag_without_data(clone: Path, seconds: float) -> None:
    folder = deployed.worktree(clone)
    command = [sys.executable, "-c", PROMOTE, str(folder)]
    with subprocess.Popen(command, cwd=toy.ROOT) as victim:
        time.sleep(seconds)  # the way takes three or four on a quiet machine
        victim.kill()
    assert deployed.tags(clone) in ([], FIRST)
    deployed.check_tags_have_data(clone)
    assert promote(again_worktree(clone, "newer")).number == "v1.0.0"
    assert deployed.tags(clone) == FIRST


def test_an_answer_that_got_lost_is_found_by_the_next_call(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = deployed.worktree(clone)
    send = origin.send

    def mute(*words: object, **options: object) -> None:
        send(*words, **options)  # type: ignore[arg-type]
        raise pipeline.Unreachable("the line broke")

    monkeypatch.setattr(origin, "send", mute)
    with pytest.raises(pipeline.Unreachable):
        promote(folder)
    monkeypatch.setattr(origin, "send", send)
    assert promote(folder).number == "v1.0.0" and deployed.tags(clone) == FIRST


def test_what_is_missing_is_told_before_anything_is_done(clone: Path) -> None:
    folder = deployed.worktree(clone)
    head = toy.git(folder, "rev-parse", "HEAD")

    def refusal(words: str) -> None:
        with pytest.raises(ValueError, match=words):
            promote(folder)

    (folder / "forgotten.dvc").write_text("")
    refusal(r"1 files of .* are not staged, first forgotten\.dvc")
    (folder / "forgotten.dvc").unlink()
    weights = pipeline.read_lock(folder)["fit"]["outs"][0]["md5"]
    (clone.parent / "storage").rename(clone.parent / "unmounted")
    refusal(r"storage, which is not there: is its disk mounted")
    (clone.parent / "unmounted").rename(clone.parent / "storage")
    lost = clone / ".dvc/cache/files/md5" / weights[:2] / weights[2:]
    lost.rename(clone.parent / "lost")
    refusal(rf"data/models/right \({weights}\) is neither in the cache nor on the remote")
    (clone.parent / "lost").rename(lost)
    lock = (folder / "dvc.lock").read_text()
    (folder / "dvc.lock").write_text(lock.partition("  export:")[0])
    deployed.git(folder, "add", "-A")
    refusal(r"dvc\.lock has no data/exported/right: the model must be made and exported first")
    deployed.git(folder, "switch", "-q", "-c", "mine")
    refusal("is on the branch mine, which is somebody's")
    assert toy.git(folder, "rev-parse", "HEAD") == head
    assert deployed.tags(clone) == [] and deployed.stored(clone) == {}


def test_a_damaged_byte_in_the_cache_is_never_published(clone: Path) -> None:
    folder = deployed.worktree(clone)
    damaged = next(
        path
        for path in sorted((clone / ".dvc/cache/files/md5").rglob("*"))
        if path.is_file() and path.read_bytes().startswith(b"onnx\nseed: 8")
    )
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes().replace(b"onnx", b"0nnx"))
    with pytest.raises(ValueError, match=r"^data/exported/right/model\.onnx is damaged: .*other bytes"):  # fmt: skip
        promote(folder)
    assert deployed.tags(clone) == [] and deployed.stored(clone) == {}


def test_what_no_side_has_is_never_published(clone: Path) -> None:
    folder = deployed.worktree(clone)
    (folder / "data/raw").mkdir(parents=True)
    (folder / "data/raw/new.txt").write_text("white noise")
    pipeline.add("data/raw/new.txt", folder)
    deployed.git(folder, "add", "-A")
    for path in (clone / ".dvc/cache/files").rglob("*"):
        if path.is_file() and path.read_bytes() == b"white noise":
            path.unlink()
    with pytest.raises(ValueError, match=r"1 objects are neither .* first data/raw/new\.txt"):
        promote(folder)
    assert deployed.tags(clone) == []


def test_lines_without_data_are_published_alone(clone: Path) -> None:
    folder = deployed.worktree(clone, None)
    before = own(clone)
    (folder / "reports/arrivals.csv").write_text("arrival\nmonday\n")
    (folder / "params.yaml").write_text("of a model that was rejected")
    deployed.git(folder, "add", "reports/arrivals.csv")
    commit = promotion.publish(folder, branch="main", message="monday: rejected")
    assert deployed.refs(clone) == {"refs/heads/main": commit}
    bare = clone.parent / "origin.git"
    assert toy.git(bare, "show", "main:reports/arrivals.csv") == "arrival\nmonday\n"
    assert toy.git(bare, "diff", "--name-only", "main~1", "main") == "reports/arrivals.csv\n"
    assert (folder / "params.yaml").read_text() == "of a model that was rejected"
    assert own(clone) == before
    assert promotion.publish(folder, branch="main", message="again") == commit
    deployed.git(folder, "add", "params.yaml")
    (folder / "dvc.lock").write_text("of a model that was rejected")
    deployed.git(folder, "add", "dvc.lock")
    with pytest.raises(ValueError, match=r"dvc\.lock is staged, but its data are not"):
        promotion.publish(folder, branch="main", message="with data")
    assert deployed.refs(clone) == {"refs/heads/main": commit}


def test_lines_that_come_second_are_overtaken(clone: Path) -> None:
    folders = [deployed.worktree(clone, None, name=name) for name in ("quick", "slow")]
    for folder in folders:
        (folder / "reports/arrivals.csv").write_text(f"arrival\n{folder.name}\n")
        deployed.git(folder, "add", "-A")
    commit = promotion.publish(folders[0], branch="main", message="quick")
    with pytest.raises(origin.Overtaken):
        promotion.publish(folders[1], branch="main", message="slow")
    assert deployed.refs(clone) == {"refs/heads/main": commit}


def test_the_model_is_the_one_of_the_gate_else_the_only_exported_one() -> None:
    outs = [{"path": f"data/{kind}/{name}", "md5": f"{kind} {name}"}
            for kind in ("models", "exported") for name in ("left", "right")]  # fmt: skip
    lock = {"all": {"outs": outs}}
    right = {"data/models/right": "models right", "data/exported/right": "exported right"}
    both = {"models": ["left", "right"]}
    assert promotion.delivered({"gate": {"models": ["right"]}, "export": both}, lock) == right
    assert promotion.delivered({"export": {"models": ["right"]}}, lock) == right
    with pytest.raises(ValueError, match=r"gate\.models names none, export\.models 2"):
        promotion.delivered({"gate": {"models": []}, "export": both}, lock)
