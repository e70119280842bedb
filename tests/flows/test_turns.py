"""The arrivals' turns: each decided upon once, whoever dies, whoever else pushes; nobody's checkout changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from flows import inbox, ledger, pipeline, registry, trial, turns, untold
from tests.flows import arriving, deployed, killing, toy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
FIRST = range(10, 22)


@pytest.fixture(scope="session")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hospital's clone before anything arrived; not to be changed."""
    return arriving.make(tmp_path_factory.mktemp("hospital"))


@pytest.fixture(scope="session")
def champion(hospital: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clone with a first champion; not to be changed."""
    clone = copy(hospital, tmp_path_factory.mktemp("champion") / "copy")
    arriving.arrive(clone, "day1", FIRST)
    assert arriving.outcomes(arriving.retrain(clone)) == [("day1", "promoted", "v1.0.0")]
    return clone


def copy(clone: Path, folder: Path) -> Path:
    return Path(shutil.copytree(clone.parent, folder, symlinks=True)) / clone.name


def show(clone: Path, path: str) -> str:
    return toy.git(clone, "show", f"origin/main:{path}")


def beside(clone: Path, folder: str) -> list[str]:
    """List a folder beside the inbox, without the ends of the hashes."""
    names = sorted(path.name for path in (clone.parent / folder).iterdir())
    return [".".join([part.split("-")[0] for part in name.split(".", 1)]) for name in names]


def test_one_at_a_time_and_the_lock_falls_with_its_holder(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from flows import trial, turns\n"
        "with turns.alone(Path(sys.argv[1]), trial.plain()):\n"
        "    print('held', flush=True)\n    time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    said: list[str] = []

    def kill(line: str) -> None:
        said.append(line)
        holder.kill()

    with holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with turns.alone(tmp_path, replace(trial.plain(), say=kill)):
            assert "waiting for it to end" in said[0]


def test_what_a_dead_run_left_is_swept(hospital: Path, tmp_path: Path) -> None:
    clone = copy(hospital, tmp_path / "copy")
    common = clone / ".git"
    toy.git(clone, "worktree", "add", "-q", "--detach", ".worktrees/retrain-1")
    toy.git(clone, "worktree", "add", "-q", "--detach", ".worktrees/mine")
    half = common / "worktrees/retrain-2"  # as `git worktree add` leaves it when it is killed
    half.mkdir()
    (half / "locked").write_text("initializing")
    lock, fresh = common / "refs/remotes/origin/main.lock", common / "packed-refs.lock"
    lock.touch()
    fresh.touch()
    os.utime(lock, (time.time() - 120,) * 2)
    turns.sweep(clone, "main")
    assert sorted(path.name for path in (clone / ".worktrees").iterdir()) == ["mine"]
    assert sorted(path.name for path in (common / "worktrees").iterdir()) == ["mine"]
    assert not lock.exists() and fresh.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "outs: []\n",
        "outs:\n- md5: 0123\n  path: x\n",
        "outs:\n- md5: '../../x.dir'\n  path: x\n",
    ],
)
def test_a_file_that_is_no_pointer_to_a_folder_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "march.dvc"
    path.write_text(text)
    arrival = inbox.Arrival(name="march", path=path, changed=0)
    with pytest.raises(ValueError, match="is no pointer to one folder"):
        turns.pulled(arrival, tmp_path, tmp_path, trial.plain())


def test_data_that_were_never_pushed_do_not_stop_the_other_arrivals(tmp_path: Path) -> None:
    path = tmp_path / "march.dvc"
    path.write_text(f"outs:\n- md5: {'0' * 32}.dir\n  path: march\n")
    arrival = inbox.Arrival(name="march", path=path, changed=0)

    def silent(*arguments: object, **named: object) -> None:
        raise pipeline.Unreachable("nobody answers")

    hands = replace(trial.plain(), remote=silent)
    with pytest.raises(pipeline.Failed, match="are its data pushed") as raised:
        turns.pulled(arrival, tmp_path, tmp_path, hands)
    assert not isinstance(raised.value, pipeline.Unreachable)


def test_an_event_for_data_that_nobody_has_is_an_error(hospital: Path, tmp_path: Path) -> None:
    clone = copy(hospital, tmp_path / "copy")
    arriving.arrive(clone, "march", [1])
    with pytest.raises(ValueError, match=r"no arrival in .* has the manifest 0000"):
        arriving.retrain(clone, manifest="0" * 64)
    assert beside(clone, "inbox") == ["march"]


def test_without_a_remote_the_cure_is_told_and_nothing_is_touched(
    hospital: Path, tmp_path: Path
) -> None:
    clone = copy(hospital, tmp_path / "copy")
    toy.git(clone, "remote", "remove", "origin")
    arriving.arrive(clone, "march", [1])
    before = arriving.state(clone)
    with pytest.raises(ValueError, match=r"no git remote 'origin'.*`git remote add origin"):
        arriving.retrain(clone)
    assert arriving.state(clone) == before and beside(clone, "inbox") == ["march"]
    assert not (clone / ".worktrees").exists()


def test_what_a_dead_run_published_and_did_not_tell_is_told_once(
    hospital: Path, tmp_path: Path
) -> None:
    clone = copy(hospital, tmp_path / "copy")
    row = ledger.line("march", "1" * 64, "toy", "quarantined", reason="noise")
    tree = deployed.worktree(clone, None)
    ledger.write(tree, row, {"findings.csv": "finding\n"})
    commit = toy.commit(tree, "march quarantined")
    toy.git(clone, "push", "-q", "origin", f"{commit}:main")
    # the second died before it published anything, the third's branch is no more
    for digit, branch in (("1", "main"), ("2", "main"), ("1", "trial")):
        untold.Note(study="toy", manifest=digit * 64, branch=branch).write(clone)
    told: list[object] = []
    hands = replace(trial.plain(), tell=lambda *facts: told.append(facts))
    for _ in range(2):
        turns.make_up(clone, hands)
    assert told == [("cxrepro.arrival.quarantined", row, {"findings.csv": "finding\n"})]
    assert list(untold.notes(clone)) == []


@pytest.mark.slow
def test_a_death_before_telling_is_made_up_for_though_nothing_arrives(
    champion: Path, tmp_path: Path
) -> None:
    clone = copy(champion, tmp_path / "copy")
    arriving.arrive(clone, "noise", ["no number"])
    told: list[tuple[str, str]] = []

    def die(*facts: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        arriving.retrain(clone, replace(trial.plain(), tell=die))
    assert beside(clone, "inbox") == []
    hands = replace(trial.plain(), tell=lambda event, row, _: told.append((event, row["arrival"])))
    for _ in range(2):
        assert arriving.retrain(clone, hands) == []
    assert told == [("cxrepro.arrival.quarantined", "noise")]


@pytest.mark.slow
def test_the_first_model_becomes_the_champion_and_nobody_notices(
    hospital: Path, tmp_path: Path
) -> None:
    clone = deployed.copy(hospital, tmp_path / "copy")  # with a person's settings and hooks
    (clone / "mine.txt").write_text("a person works here")
    before = arriving.state(clone)
    arriving.arrive(clone, "day1", FIRST)
    rows = arriving.retrain(clone)
    assert arriving.outcomes(rows) == [("day1", "promoted", "v1.0.0")]
    assert arriving.state(clone) == before
    assert not list((tmp_path / "copy").glob("hook *"))
    assert deployed.tags(clone) == ["toy#prod#1", "toy@v1.0.0"]
    arriving.check_tags_have_data(clone)
    assert beside(clone, "taken") == ["day1"] and beside(clone, "inbox") == []
    parts = [
        line.split(",") for line in show(clone, "studies/toy/assignments.csv").splitlines()[1:]
    ]
    listed = show(clone, "studies/toy/acceptance.csv").splitlines()[1:]
    assert [line.split(",")[0] for line in listed] == [
        name for name, part in parts if part == "test"
    ]
    assert "arrival: table/day1" in show(clone, "params.yaml")
    assert [path.name for path in (clone / ".worktrees").iterdir()] == ["retrain.lock"]


@pytest.mark.slow
def test_better_data_the_same_data_and_worse_data(champion: Path, tmp_path: Path) -> None:
    clone = copy(champion, tmp_path / "copy")
    listed = show(clone, "studies/toy/acceptance.csv")
    arriving.arrive(clone, "better", range(30, 42))
    assert arriving.outcomes(arriving.retrain(clone)) == [("better", "promoted", "v1.1.0")]
    assert show(clone, "studies/toy/acceptance.csv") == listed
    parts = show(clone, "studies/toy/assignments.csv")
    assert parts.count(",test\n") == len(listed.splitlines()) - 1  # nothing new is tested
    assert parts.count("table/better/") == 12
    verdict = json.loads(show(clone, "reports/gate/verdict.json"))
    assert verdict["champion"] == "toy@v1.0.0" and verdict["warnings"] == ["opening 2"]

    before = deployed.refs(clone)
    arriving.arrive(clone, "again", range(30, 42))
    assert arriving.retrain(clone) == [] and deployed.refs(clone) == before
    assert beside(clone, "taken") == ["again", "better", "day1"]

    arriving.arrive(clone, "worse", [1] * 12)
    (row,) = arriving.retrain(clone)
    assert row["outcome"] == "rejected" and row["reason"].endswith("; opening 3")
    changed = toy.git(clone, "diff", "--name-only", "origin/main~1", "origin/main").splitlines()
    folder = f"reports/arrivals/worse-{row['manifest'][:8]}"
    assert changed == ["reports/arrivals.csv", f"{folder}/verdict.json"]
    assert json.loads(show(clone, changed[1]))["verdict"] == "reject"
    assert beside(clone, "rejected") == ["worse", "worse.verdict.json"]
    live = registry.production("toy", clone)
    assert live is not None and live.number == "v1.1.0"
    arriving.check_tags_have_data(clone)


@pytest.mark.slow
def test_bad_data_are_quarantined_and_a_broken_training_leaves_its_data(
    champion: Path, tmp_path: Path
) -> None:
    clone = copy(champion, tmp_path / "copy")
    before = deployed.tags(clone)
    arriving.arrive(clone, "noise", [30, "no number"])
    shutil.rmtree(arriving.arrive(clone, "empty", [1]) / "images")
    (clone.parent / "inbox/empty/labels.csv").rename(clone.parent / "inbox/empty/other.csv")
    arriving.arrive(clone, "a name", [1])
    with pytest.raises(ValueError, match="'a name' can't stand in a table: rename it"):
        arriving.retrain(clone)
    found = ledger.at("origin/main", root=clone)[1:]
    assert arriving.outcomes(found) == [("noise", "quarantined", ""), ("empty", "quarantined", "")]
    assert "1 critical findings, first table/noise/images/1.png" in found[0]["reason"]
    assert "has no labels.csv" in found[1]["reason"] and found[1]["opened"] == "no"
    assert beside(clone, "quarantined") == ["empty", "noise", "noise.findings.csv"]
    (table,) = (clone.parent / "quarantined").glob("noise-*.findings.csv")
    assert (
        table.read_text().splitlines()[1]
        == "unreadable,critical,table/noise/images/1.png,no number"
    )
    assert beside(clone, "inbox") == ["a name"]
    assert deployed.tags(clone) == before


@pytest.mark.slow
def test_a_failure_of_ours_leaves_the_arrival_and_the_worktree(
    champion: Path, tmp_path: Path
) -> None:
    clone = copy(champion, tmp_path / "copy")
    before = deployed.refs(clone)
    arriving.arrive(clone, "march", range(30, 42))

    def broken(*arguments: object) -> None:
        raise pipeline.Failed("the network's training broke")

    with pytest.raises(pipeline.Failed, match="training broke"):
        arriving.retrain(clone, replace(trial.plain(), stages=broken))
    assert beside(clone, "inbox") == ["march"] and deployed.refs(clone) == before
    assert len(list((clone / ".worktrees").glob("retrain-*"))) == 1
    assert arriving.outcomes(arriving.retrain(clone)) == [("march", "promoted", "v1.1.0")]
    assert not list((clone / ".worktrees").glob("retrain-*"))


@pytest.mark.slow
def test_another_machine_takes_over_and_finds_data_on_the_remote(
    champion: Path, tmp_path: Path
) -> None:
    """A fresh clone has an empty cache; the arrival is a pointer, its data on the DVC remote."""
    home = copy(champion, tmp_path / "copy").parent
    first, second = home / "a clone", home / "second"
    sent = arriving.arrive(first, "march", range(30, 42))
    digest = inbox.manifest(sent)
    shutil.move(sent, first / "data/raw/march")
    pipeline.add("data/raw/march", first)
    said = toy.python(first, "-m", "dvc", "push", "data/raw/march.dvc")
    assert said.returncode == 0, said.stderr
    shutil.move(first / "data/raw/march.dvc", home / "inbox/march.dvc")
    toy.git(home, "clone", "-q", "origin.git", "second")
    rows = arriving.retrain(second, manifest=digest)
    assert arriving.outcomes(rows) == [("march", "promoted", "v1.1.0")]
    assert rows[0]["manifest"] == digest
    assert (home / f"taken/march-{digest[:8]}.dvc").is_file()
    arriving.check_tags_have_data(first)


@pytest.mark.slow
def test_who_is_overtaken_starts_afresh(champion: Path, tmp_path: Path) -> None:
    clone = copy(champion, tmp_path / "copy")
    arriving.arrive(clone, "march", range(30, 42))
    person = clone.parent / "person"
    toy.git(clone.parent, "clone", "-q", "origin.git", "person")

    def meddle(function, *arguments, **named):
        if function is registry.promote and not (person / "note.txt").exists():
            (person / "note.txt").write_text("mine")
            toy.commit(person, "a person's")
            toy.git(person, "push", "-q", "origin", "HEAD:main")
        return function(*arguments, **named)

    rows = arriving.retrain(clone, replace(trial.plain(), remote=meddle))
    assert arriving.outcomes(rows) == [("march", "promoted", "v1.1.0")]
    assert show(clone, "note.txt") == "mine"
    assert [row[0] for row in arriving.lines(clone)] == ["day1", "march"]
    arriving.check_tags_have_data(clone)


@pytest.mark.slow
def test_a_death_between_push_and_putting_away_is_finished_by_the_next_run(
    champion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = copy(champion, tmp_path / "copy")
    arriving.arrive(clone, "noise", ["no number"])

    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(inbox, "put_away", die)
        arriving.retrain(clone)
    assert arriving.lines(clone)[1:] == [("noise", "quarantined", "")]
    assert beside(clone, "inbox") == ["noise"]
    assert arriving.retrain(clone) == [] and len(arriving.lines(clone)) == 2
    assert beside(clone, "quarantined") == ["noise", "noise.findings.csv"]


@pytest.mark.slow
def test_two_at_once_go_one_after_the_other(champion: Path, tmp_path: Path) -> None:
    clone = copy(champion, tmp_path / "copy")
    arriving.arrive(clone, "march", range(30, 42))
    arriving.arrive(clone, "april", range(50, 62))
    programs = [arriving.start(clone) for _ in range(2)]
    said = [program.communicate()[0] for program in programs]
    assert [program.returncode for program in programs] == [0, 0], said
    assert any("waiting for it to end" in words for words in said)
    assert arriving.lines(clone)[1:] == [
        ("march", "promoted", "v1.1.0"),
        ("april", "promoted", "v1.2.0"),
    ]


@pytest.mark.slow
def test_ten_kills_at_random_points_leave_nothing_half_done(champion: Path, tmp_path: Path) -> None:
    clone = copy(champion, tmp_path / "copy")
    killing.check(clone, kills=10, each=False)
