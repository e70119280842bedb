"""A clean clone makes the committed bytes, wherever, whoever and however busy; a dishonest commit is named.

Minutes per test: `make proof`. The commit under proof is HEAD.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.proof import clones

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean clone in which `make repro` has run once."""
    root = clones.clone(tmp_path_factory.mktemp("proof") / "clone")
    clones.reproduced(root)
    return root


@pytest.fixture
def german(tmp_path: Path) -> dict[str, str]:
    """A locale with a comma in numbers and another order of letters, really generated."""
    if not Path("/usr/share/i18n/locales/de_DE").exists() or not shutil.which("localedef"):
        pytest.skip("no sources of locales on this machine (Debian: package locales)")
    (tmp_path / "locales").mkdir()
    target = str(tmp_path / "locales" / "de_DE.UTF-8")
    subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", target], check=True)
    names = dict.fromkeys(("LC_ALL", "LANG"), "de_DE.UTF-8")
    environment = {**names, "LOCPATH": str(tmp_path / "locales")}
    said = subprocess.run(
        ["locale", "decimal_point"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == ","
    return environment


def test_a_clean_clone_changes_nothing_that_is_committed(reproduced):
    assert (reproduced / "reports/index.html").exists()
    assert clones.git(reproduced, "status", "--porcelain") == ""


def test_another_place_zone_locale_mask_and_load_give_the_same_lock(reproduced, tmp_path, german):
    root = clones.clone(tmp_path / "a place with spaces" / "ünd")
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        lock = clones.reproduced(
            root, before=("sh", "-c", 'umask 077; exec "$@"', "sh"),
            CXR_WORKERS="3", TZ="Asia/Tokyo", **german,
        )  # fmt: skip
    finally:
        busy.kill()
        busy.wait()
    assert lock == (reproduced / "dvc.lock").read_bytes()
    assert clones.git(root, "status", "--porcelain") == ""


def test_one_core_and_one_worker_give_the_same_lock(reproduced, tmp_path):
    if not shutil.which("taskset"):
        pytest.skip("no taskset on this machine (Debian: package util-linux)")
    root = clones.clone(tmp_path / "clone")
    lock = clones.reproduced(root, before=("taskset", "-c", "0"), CXR_WORKERS="1")
    assert lock == (reproduced / "dvc.lock").read_bytes()


def test_returning_to_earlier_parameters_runs_nothing(reproduced):
    params = reproduced / "params.yaml"
    before, lock = params.read_text(), (reproduced / "dvc.lock").read_bytes()
    # another evaluation, and one run fewer (its recipe may rest)
    tree = clones.parameters(reproduced)
    tree["evaluate"]["bootstrap_samples"] = 7
    name = tree["transfer"]["searched"].pop()
    tree["models"].remove(name)
    clones.write_parameters(reproduced, tree)
    params_of_one_run_less = params.read_text()
    said = clones.make(reproduced, "repro")
    assert said.returncode == 0, said.stderr[-3000:]
    assert not list(reproduced.glob(f"data/models/{name}"))
    assert not list(reproduced.glob(f"reports/*/{name}"))
    assert f"@{name}:" not in (reproduced / "dvc.lock").read_text()
    assert f'"{name}"' not in (reproduced / "reports/compare/metrics.json").read_text()
    params.write_text(before)
    said = clones.make(reproduced, "repro")
    assert said.returncode == 0, said.stderr[-3000:]
    # in a fresh clone DVC took the committed reports as they were, so their stages run a first time
    ran = re.findall(r"Running stage '([\w-]+)", said.stdout + said.stderr)
    assert set(ran) <= {"evaluate", "compare"}
    for text in (params_of_one_run_less, before):
        params.write_text(text)
        said = clones.make(reproduced, "repro")
        assert said.returncode == 0, said.stderr[-3000:]
        assert "Running stage" not in said.stdout + said.stderr
    assert (reproduced / "dvc.lock").read_bytes() == lock
    assert clones.git(reproduced, "status", "--porcelain") == ""


def test_pull_brings_what_push_sent_and_leaves_nothing_to_run(reproduced, tmp_path):
    """Where no other data set's data are: the default study must not need them."""
    other = clones.clone(tmp_path / "other")
    for root in (reproduced, other):
        clones.dvc(root, "remote", "add", "--local", "-d", "-f", "store", str(tmp_path / "store"))
    clones.dvc(reproduced, "push", "--quiet")
    clones.dvc(other, "pull", "--quiet")
    assert "up to date" in clones.dvc(other, "status")
    assert "Running stage" not in clones.dvc(other, "repro")
    for folder in ("data/prepared", "data/searched", "data/models", "data/exported"):
        files = [path for path in sorted((reproduced / folder).rglob("*")) if path.is_file()]
        assert files, f"{folder} is empty"
        for path in files:
            assert (other / path.relative_to(reproduced)).read_bytes() == path.read_bytes()
    assert clones.git(other, "status", "--porcelain") == ""


def test_verify_passes_on_head(tmp_path):
    root = clones.clone(tmp_path / "clone")
    said = clones.make(root, "verify", TMPDIR=str(tmp_path))
    assert said.returncode == 0, said.stdout[-3000:] + said.stderr[-3000:]
    assert re.search(r"verify: \d+ outputs of \d+ stages identical", said.stdout)


def test_verify_names_an_altered_report_and_an_altered_hash(tmp_path):
    root = clones.clone(tmp_path / "clone")
    path = root / "reports/split/metrics.json"
    content = path.read_bytes()
    place = next(i for i, byte in enumerate(content) if chr(byte).isdigit())
    path.write_bytes(
        content[:place]
        + (b"1" if content[place : place + 1] != b"1" else b"2")
        + content[place + 1 :]
    )
    lock = root / "dvc.lock"
    text = lock.read_text()
    md5 = re.search(r"path: data/prepared\n *hash: md5\n *md5: ([0-9a-f]{32})", text)
    assert md5 is not None
    other = ("0" if md5[1][0] != "0" else "1") + md5[1][1:]
    lock.write_text(text.replace(md5[1], other))
    clones.git(root, "commit", "-qam", "two altered outputs")
    said = clones.make(root, "verify", TMPDIR=str(tmp_path))
    assert said.returncode != 0
    lines = differences(said.stderr)
    assert lines[0] == "verify: split: reports/split/metrics.json is not as committed"
    assert lines[1].startswith("verify: preprocess: data/prepared")


def test_verify_names_a_stage_that_draws_from_a_global_generator(tmp_path):
    root = clones.clone(tmp_path / "clone")
    path = root / "stages/split.py"
    path.write_text(path.read_text().replace('if __name__ == "__main__":\n', _GLOBAL))
    clones.reproduced(root)
    clones.git(root, "add", "-A")
    clones.git(root, "commit", "-qm", "a number from nowhere")
    said = clones.make(root, "verify", TMPDIR=str(tmp_path))
    assert said.returncode != 0
    assert differences(said.stderr)[0].startswith(
        "verify: split: reports/split/metrics.json differs"
    )


# What a careless change would look like: one number that nobody seeded.
_GLOBAL = """\
_honest = main


def main() -> str:
    import json

    import numpy as np

    words = _honest()
    path = Path("reports/split/metrics.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "chance": np.random.rand()}))
    return words


if __name__ == "__main__":
"""


def differences(stderr: str) -> list[str]:
    """Return verify's lines that name a stage."""
    return [line for line in stderr.splitlines() if re.match(r"verify: [a-z-]+(@[\w-]+)?: ", line)]
