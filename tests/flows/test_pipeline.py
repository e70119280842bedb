"""The adapter to DVC: order, outcomes, what is forgotten, and a lock file that DVC leaves alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows import pipeline
from tests.flows import toy

# DVC's own libraries warn of each other; here they run inside the test's process
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

NAMES = ["source", "fit@left", "fit@right", "compare"]


def test_order_is_topological_and_else_as_written(repository):
    assert pipeline.stages(repository) == NAMES
    text = (repository / "dvc.yaml").read_text()
    first, rest = text.split("  fit:\n")
    fit, compare = rest.split("  compare:\n")
    source = first.split("stages:\n")[1]
    (repository / "dvc.yaml").write_text(f"stages:\n  compare:\n{compare}  fit:\n{fit}{source}")
    assert pipeline.stages(repository) == NAMES


def test_a_stage_names_those_it_needs(repository):
    needs = {stage.name: stage.needs for stage in pipeline.graph(repository)}
    assert needs == {
        "source": (),
        "fit@left": ("source",),
        "fit@right": ("source",),
        "compare": ("fit@left", "fit@right"),
    }


def test_a_broken_dvc_yaml_is_one_line(repository):
    (repository / "dvc.yaml").write_text("stages: {a: {cmd: [}")
    with pytest.raises(pipeline.Failed, match=r"dvc\.yaml can't be read"):
        pipeline.graph(repository)


def test_outcomes_are_unchanged_ran_and_restored(repository):
    def run(stage):
        return pipeline.run(stage, root=repository, say=lambda line: None)

    assert run("fit@left") == "unchanged"
    code = repository / "stages" / "fit.py"
    before = code.read_text()
    code.write_text(before + "# more\n")
    assert run("fit@left") == "ran"
    code.write_text(before)
    assert run("fit@left") == "restored"


def test_a_failed_stage_is_failed_and_not_locked(repository):
    (repository / "stages" / "fit.py").write_text("raise SystemExit('no such thing')\n")
    lines: list[str] = []
    with pytest.raises(pipeline.Failed, match="fit@left"):
        pipeline.run("fit@left", root=repository, say=lines.append)
    assert "no such thing" in lines


def test_a_lock_error_is_told_from_a_failed_stage():
    busy = "ERROR: '/x/data' is busy, it is being blocked by:\n  (PID 12): dvc repro\n"
    assert isinstance(pipeline._error(busy), pipeline.Locked)
    assert isinstance(pipeline._error("ERROR: failed to reproduce 'a'\n"), pipeline.Failed)


def test_a_silent_remote_is_told_from_a_failed_stage():
    silent = "ERROR: unexpected error - Could not connect to the endpoint URL"
    assert isinstance(pipeline._error(silent), pipeline.Unreachable)
    own = (
        "ConnectionError: it timed out\nERROR: failed to reproduce 'a': failed to run: python -m a"
    )
    assert isinstance(pipeline._error(own), pipeline.Failed)


def test_what_dvc_lists_below_an_error_is_told():
    words = (
        "ERROR: Checkout failed for following targets:\ndata/a\ndata/b\nIs your cache up to date?"
    )
    assert str(pipeline._error(words)) == "Checkout failed for following targets: data/a data/b"


def test_the_stage_finds_this_environment_s_python():
    path = pipeline.environment()["PATH"].split(os.pathsep)
    assert path[0] == str(Path(sys.executable).parent)


def test_ending_the_run_ends_the_stage_too(repository):
    (repository / "stages" / "fit.py").write_text(
        "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(300)\n"
    )
    command = [sys.executable, "-m", "flows.pipeline"]
    with subprocess.Popen(
        command, cwd=repository, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 60
        while not (repository / "pid").exists() or not (repository / "pid").read_text():
            assert time.monotonic() < deadline, "the stage never started"
            time.sleep(0.1)
        stage = int((repository / "pid").read_text())
        os.kill(process.pid, signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"interrupted" in said
    deadline = time.monotonic() + 10
    while Path(f"/proc/{stage}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{stage}").exists()


def test_canonical_lock_restores_the_text_and_dvc_keeps_it(repository):
    path = repository / "dvc.lock"
    before = path.read_bytes()
    assert not pipeline.canonical_lock(repository)
    assert pipeline._rewrite_lock(repository, lambda names: list(reversed(names)))
    assert path.read_bytes() != before
    assert pipeline.canonical_lock(repository)
    assert path.read_bytes() == before
    toy.run(repository)
    assert path.read_bytes() == before


def test_a_changed_stage_keeps_its_place_in_the_lock(repository):
    (repository / "stages" / "fit.py").write_text(toy.FIT + "# more\n")
    toy.run(repository)
    assert list(pipeline.read_lock(repository)) == NAMES


def test_a_removed_run_leaves_no_folder_and_no_lock_entry(repository):
    params = repository / "params.yaml"
    before = params.read_text()
    params.write_text(before.replace("[left, right]", "[left]"))
    said = toy.python(repository, "-m", "flows.pipeline")
    assert "removed data/models/right: no stage writes it any more" in said.stdout
    assert "right" not in (repository / "dvc.lock").read_text()
    assert not list(repository.glob("*/**/right"))
    assert "right" not in (repository / "reports/compare/metrics.json").read_text()
    params.write_text(before)  # and back: everything comes from the run cache
    said = toy.python(repository, "-m", "flows.pipeline")
    assert "Running stage" not in said.stdout
    assert toy.git(repository, "status", "--porcelain") == ""


def test_leftovers_without_a_lock_entry_go_too(repository):
    (repository / "data/models/interrupted").mkdir()
    (repository / "data/models/.gitkeep").write_text("")
    assert pipeline.forget_removed_runs(repository) == ["data/models/interrupted"]
    assert (repository / "data/models/.gitkeep").exists()
    assert (repository / "data/models/left/config.json").exists()


def test_what_searches_prunings_and_exports_left_goes_with_their_runs(tmp_path):
    prune = pipeline.Stage(name="prune@a", outs=("data/pruned/a", "reports/prune/a/metrics.json"))
    finish = pipeline.Stage(
        name="finish@a-pruned_50",
        outs=("data/models/a-pruned_50", "reports/finish/a-pruned_50/plots"),
    )
    search = pipeline.Stage(name="search@s", outs=("data/searched/s", "reports/search/s/plots"))
    kept = ["data/models/a-pruned_50", "data/pruned/a", "data/searched/s", "data/.scratch/prune"]
    kept += ["reports/prune/a", "reports/finish/a-pruned_50", "reports/search/s"]
    gone = [
        "data/exported/a",
        "data/models/a-uniform_50",
        "data/models/b-pruned_50",
        "data/pruned/b",
    ]
    gone += [
        "data/searched/t",
        "reports/export/a",
        "reports/finish/a-uniform_50",
        "reports/prune/b",
    ]
    gone += ["reports/search/t"]
    for path in (*kept, *gone):
        (tmp_path / path).mkdir(parents=True)
    assert pipeline.forget_removed_runs(tmp_path, current=[search, prune, finish]) == gone
    assert all((tmp_path / path).is_dir() for path in kept)
    assert not any((tmp_path / path).exists() for path in gone)


def test_status_is_empty_when_up_to_date_and_names_what_is_not(repository):
    assert pipeline.status(repository) == {}
    (repository / "stages" / "compare.py").write_text(toy.COMPARE + "# more\n")
    assert list(pipeline.status(repository)) == ["compare"]
