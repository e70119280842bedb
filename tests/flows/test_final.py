"""make final opens the test set of a committed study alone, and each new result leaves its line."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from flows import openings
from tests.flows import judged, toy

TEST = hashlib.sha256(judged.TEST.encode()).hexdigest()[:12]
BETTER = judged.EVALUATE.replace("/ 100", "/ 50")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy whose test set was opened once, all of it committed; not to be changed."""
    root = judged.make(tmp_path_factory.mktemp("opened") / "with a space")
    commit = toy.git(root, "rev-parse", "HEAD").strip()
    said = final(root)
    assert said.returncode == 0, said.stdout + said.stderr
    assert f"test set {TEST}, 3 images: not opened yet" in said.stdout
    assert "warning" not in said.stdout
    (row,) = lines(root)
    assert row["commit"] == commit
    toy.commit(root)
    return root


@pytest.fixture
def project(opened: Path, tmp_path: Path) -> Path:
    return judged.copy(opened, tmp_path / "with a space")


def final(root: Path):
    return toy.python(root, "-m", "flows.final")


def lines(root: Path) -> list[dict[str, str]]:
    return openings.read(root / openings.TABLE)


def test_the_line_says_what_was_scored_where_and_when(opened):
    (row,) = lines(opened)
    assert {key: row[key] for key in ("study", "seed", "test", "images", "models", "opening")} == {
        "study": "toy", "seed": "7", "test": TEST, "images": "3", "models": "left right",
        "opening": "1",
    }  # fmt: skip
    reports = [opened / f"reports/evaluate/{name}/metrics.json" for name in ("left", "right")]
    assert row["results"].split() == [
        hashlib.md5(path.read_bytes()).hexdigest()[:12] for path in reports
    ]
    assert row["date_utc"][10] == "T" and row["date_utc"].endswith("Z")
    assert (opened / "reports/index.html").exists()


def test_bytes_that_come_again_open_nothing(project):
    (project / "reports/evaluate/left/metrics.json").unlink()
    said = final(project)
    assert said.returncode == 0, said.stderr
    assert "opened once before" in said.stdout
    assert "no model was evaluated anew: nothing to add to reports/test_openings.csv" in said.stdout
    assert toy.git(project, "status", "--porcelain") == ""


def test_a_second_opening_is_counted_and_warned_of(project):
    path = project / "stages/transfer.py"
    path.write_text(judged.TRANSFER.replace("name + text", "name + text * (name == 'right')"))
    commit = toy.commit(project)
    said = final(project)
    assert said.returncode == 0, said.stderr
    assert "warning: what was changed after a look at test images" in said.stdout
    assert said.stdout.index("warning") < said.stdout.index("Running stage 'evaluate")
    first, second = lines(project)
    assert second["commit"] == commit and second["opening"] == "2" and second["test"] == TEST
    assert second["models"] == "left"  # the other one's result is as it was
    assert second["results"] != first["results"].split()[0]


@pytest.mark.slow
def test_another_study_with_the_same_test_images_opens_them_again(project):
    (project / "studies/other").mkdir()
    (project / "studies/other/study.yaml").write_text("base: toy\nseed: 8\n")
    assert toy.python(project, "-m", "flows.study", "other").returncode == 0
    refused = final(project)  # the study itself is not committed
    assert refused.returncode == 1
    assert "first studies/other/study.yaml: commit them first" in refused.stderr
    toy.commit(project)
    said = final(project)
    assert said.returncode == 0, said.stderr
    assert [(row["study"], row["seed"], row["opening"]) for row in lines(project)] == [
        ("toy", "7", "1"),
        ("other", "8", "2"),
    ]


@pytest.mark.slow
def test_what_another_command_scored_before_goes_on_record(project):
    (project / "stages/evaluate.py").write_text(BETTER)
    toy.commit(project)
    toy.run(project)  # make repro
    assert len(lines(project)) == 1
    assert final(project).returncode == 0
    assert [row["models"] for row in lines(project)] == ["left right", "left right"]


@pytest.mark.slow
def test_a_run_that_fails_has_opened_what_it_scored(project):
    """What is left over from other parameters is none of it."""
    stop = "import sys\nif sys.argv[1] == 'right': raise SystemExit('the disk is full')\n"
    (project / "stages/evaluate.py").write_text(stop + BETTER)
    toy.commit(project)
    table = project / openings.TABLE
    row = lines(project)[0] | {"study": "another"}
    table.write_text(openings.text([row]))  # so that the results at hand have no line
    said = final(project)
    assert said.returncode == 1
    assert "the disk is full" in said.stdout + said.stderr
    assert [(x["study"], x["models"], x["opening"]) for x in lines(project)] == [
        ("another", "left right", "1"),
        ("toy", "left", "2"),
    ]


def test_all_reasons_against_it_come_at_once_and_nothing_runs(project):
    shutil.rmtree(project / ".git")
    toy.git(project, "init", "-q", "-b", "main")
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("seed: 7", "seed: 9"))
    before = (project / "dvc.lock").read_bytes()
    said = final(project)
    assert said.returncode == 1
    words = said.stderr.splitlines()
    assert len(words) == 3 and all(line.startswith("error: ") for line in words)
    assert "there is no commit yet" in words[0]
    assert "params.yaml is not the study toy: run `make study STUDY=toy`, or keep" in words[1]
    assert "commit them first" in words[2]
    assert (project / "dvc.lock").read_bytes() == before
    assert len(lines(project)) == 1


def test_parameters_of_no_study_are_refused(project):
    (project / "params.yaml").write_text("study: gone\nseed: 1\n")
    said = final(project)
    assert said.returncode == 1
    assert "params.yaml is of no study, but 'gone': run `make study` with one of toy" in said.stderr
    (project / "params.yaml").unlink()
    assert "params.yaml is missing: run `make study STUDY=<name>`" in final(project).stderr


def test_a_pipeline_that_divides_nothing_is_refused(repository):
    said = final(repository)
    assert said.returncode == 1
    assert "no stage writes data/splits.csv" in said.stderr
    assert not (repository / openings.TABLE).exists()


@pytest.mark.slow
def test_what_was_opened_can_be_recorded(project):
    table = project / openings.TABLE
    text = table.read_text()
    table.unlink()
    said = toy.python(project, "-m", "flows.record", "toy")
    assert said.returncode == 1
    assert "no line of study toy with these results of left, right: run `make final`" in said.stderr
    table.write_text(text)
    said = toy.python(project, "-m", "flows.record", "toy")
    assert said.returncode == 0, said.stderr
    found = json.loads((project / "studies/toy/record/metrics.json").read_text())
    assert list(found["evaluate"]) == ["left", "right"]
