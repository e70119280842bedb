"""verify passes on an honest commit and names stage and file on a dishonest one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.flows import toy


def verify(root: Path, *arguments: str):
    """Run verify in the toy; its clones go beside it."""
    (root.parent / "tmp").mkdir(exist_ok=True)
    return toy.python(root, "-m", "flows.verify", *arguments, TMPDIR=str(root.parent / "tmp"))


def left_behind(root: Path) -> list[str]:
    return [path.name for path in (root.parent / "tmp").iterdir()]


def test_an_honest_commit_passes_and_leaves_nothing_behind(repository):
    said = verify(repository)
    assert said.returncode == 0, said.stderr
    assert "verify: 7 outputs of 4 stages identical" in said.stdout
    assert left_behind(repository) == []
    assert toy.git(repository, "status", "--porcelain") == ""


def test_an_altered_byte_of_a_report_fails_by_name(repository):
    path = repository / "reports/evaluate/right/metrics.json"
    path.write_bytes(path.read_bytes().replace(b"0.5", b"0.6"))
    altered = toy.commit(repository)
    toy.git(repository, "reset", "-q", "--hard", "HEAD~1")  # the commit is on no branch now
    said = verify(repository, "--rev", altered)
    assert said.returncode == 1
    assert "fit@right: reports/evaluate/right/metrics.json is not as committed" in said.stderr
    assert len(left_behind(repository)) == 1
    assert re.search(
        r"first difference: reports/\S+: accuracy.value: 0.6 recorded, 0.5 made", said.stderr
    )
    assert "likely cause (record): what was made is as dvc.lock says" in said.stderr
    page = (repository / "reports/host/verify.md").read_text()
    assert page.startswith(f"# commit {altered[:12]}: not reproduced\n")
    assert "- likely cause (record)" in page and "- first difference: " in page


@pytest.mark.slow
def test_an_altered_hash_in_the_lock_fails_by_name(repository):
    path = repository / "dvc.lock"
    head, outs = path.read_text().split("  fit@right:")
    old = re.search(r"md5: ([0-9a-f]{32})\.dir\n(?=.*\n.*nfiles: 2\n    - path: reports)", outs)
    assert old is not None
    new = ("0" if old[1][0] != "0" else "1") + old[1][1:]
    path.write_text(head + "  fit@right:" + outs.replace(old[1], new))
    toy.commit(repository)
    said = verify(repository)
    assert said.returncode == 1
    assert "verify: 1 difference" in said.stderr
    assert "fit@right: data/models/right" in said.stderr


def test_a_global_generator_fails_by_name(repository):
    (repository / "stages" / "fit.py").write_text(toy.FIT_GLOBAL)
    toy.run(repository)
    toy.commit(repository)
    said = verify(repository)
    assert said.returncode == 1
    first = said.stderr.split("in the order of the stages:\n")[1].splitlines()[0]
    assert first.startswith("verify: fit@left: data/models/left/weights.txt differs")
    assert "verify: first difference: data/models/left/weights.txt: byte " in said.stderr
    assert (
        "likely cause (code): two runs of fit@left on this machine gave other bytes" in said.stderr
    )
    assert "not looked at: " in said.stderr


@pytest.mark.slow
def test_a_stale_lock_entry_is_named(repository):
    (repository / "stages" / "fit.py").write_text(toy.FIT + "# not run\n")
    toy.commit(repository)
    said = verify(repository)
    assert said.returncode == 1
    assert "fit@left: its lock entry is of another stages/fit.py" in said.stderr


@pytest.mark.slow
def test_missing_raw_data_is_one_line_with_the_cure(repository):
    text = (repository / "dvc.yaml").read_text()
    text = text.replace(
        "      - stages/source.py\n", "      - stages/source.py\n      - data/raw/demo\n"
    )
    (repository / "dvc.yaml").write_text(text)
    (repository / "data/raw/demo").mkdir(parents=True)
    (repository / "data/raw/demo/x.txt").write_text("x")
    toy.run(repository)
    toy.commit(repository)
    assert verify(repository).returncode == 0
    (repository / "data/raw/demo/x.txt").unlink()
    (repository / "data/raw/demo").rmdir()
    said = verify(repository)
    assert said.returncode == 1
    assert "data/raw/demo is missing in this checkout: run `make data DATASET=demo" in said.stderr


def test_an_unknown_revision_is_one_line(repository):
    said = verify(repository, "--rev", "nowhere")
    assert said.returncode == 1
    assert said.stderr.startswith("verify: 'nowhere' is no commit")
