"""The flow retrain: its command line, its retries, and (slow) the toy hospital on a server of its own."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows import arriving, deployed

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def flow_module():
    """Import the flow; Prefect's own imports warn of what will go in later versions."""
    from flows import retrain

    return retrain


def test_the_command_line_is_checked_before_anything_starts(capsys) -> None:
    module = flow_module()
    found = module.asked(["--inbox", "../inbox", "--study", "hospital"])
    assert found == module.Wanted(inbox=Path("../inbox"), study="hospital")
    assert (found.dataset, found.branch, found.manifest, found.settle_s) == (
        "table",
        "main",
        None,
        60,
    )
    for words, fault in (
        (["--study", "hospital"], "--inbox"),
        (["--inbox", "x", "--study", "../hospital"], "study"),
        (["--inbox", "x", "--study", "hospital", "--manifest", "12"], "manifest"),
    ):
        with pytest.raises(SystemExit, match="2"):
            module.asked(words)
        assert fault in capsys.readouterr().err


def test_a_server_can_refuse_wrong_parameters_by_the_flows_schema() -> None:
    schema = flow_module().retrain.parameters.model_dump()["definitions"]["Wanted"]
    assert schema["required"] == ["inbox", "study"] and schema["additionalProperties"] is False
    assert schema["properties"]["study"]["pattern"] == "^[a-z0-9_]+$"


def run(clone: Path) -> subprocess.CompletedProcess[str]:
    home = clone.parent / "prefect"
    words = ("--inbox", "../inbox", "--study", arriving.NAME, "--settle-s", "0")
    return subprocess.run(
        [sys.executable, "-m", "flows.retrain", *words], cwd=clone, capture_output=True, text=True,
        env={**os.environ, "PREFECT_HOME": str(home), "DVC_SITE_CACHE_DIR": str(home / "site")},
    )  # fmt: skip


def artifact(clone: Path, key: str) -> str:
    """Return the newest artifact of a key, as the server keeps it."""
    with sqlite3.connect(clone.parent / "prefect" / "prefect.db") as database:
        words = "select data from artifact where key = ? order by created desc"
        rows = database.execute(words, [key]).fetchall()
    database.close()
    found: str = json.loads(rows[0][0])
    return found


@pytest.mark.slow
def test_the_flow_retrains_the_toy_on_a_server_of_its_own(tmp_path: Path) -> None:
    clone = arriving.make(tmp_path / "hospital")
    before = arriving.state(clone)
    arriving.arrive(clone, "day1", range(10, 22))
    arriving.arrive(clone, "noise", [30, "no number"])
    said = run(clone)
    assert said.returncode == 0, said.stderr[-3000:]
    first, second = said.stdout.splitlines()[-2:]
    assert first == "day1: promoted, v1.0.0"
    assert second.startswith("noise: quarantined, validate: 1 critical findings")
    assert "python -m stages.transfer net" in said.stderr  # the stages' words are in the log
    assert "| transfer@net | ran |" in artifact(clone, "stages")
    assert "| day1 |" in artifact(clone, "arrivals") and "| noise |" in artifact(clone, "arrivals")
    assert "| unreadable | critical | table/noise/images/1.png |" in artifact(clone, "findings")
    assert arriving.state(clone) == before
    arriving.check_tags_have_data(clone)
    assert deployed.tags(clone) == ["toy#prod#1", "toy@v1.0.0"]

    said = run(clone)
    assert said.returncode == 0 and said.stdout.splitlines()[-1] == "nothing new"
