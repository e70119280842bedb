"""What DVC really did over several commits is told with its causes, and ends on two pages."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from flows import review, sides
from tests.flows import toy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def history(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy after four changes, each run and committed with a tag of its own."""
    root = Path(shutil.copytree(finished, tmp_path_factory.mktemp("history") / "toy", symlinks=True))  # fmt: skip
    toy.git(root, "tag", "start")
    params = root / "params.yaml"
    text = params.read_text()
    for name, path, words in (
        ("words", root / "stages/source.py", "# the same, in other words\n" + toy.SOURCE),
        ("code", root / "stages/fit.py", toy.FIT.replace("name + text", "name + text + '!'")),
        ("item", params, text.replace("[left, right]", "[left, right, third]")),
        ("seed", params, text.replace("[left, right]", "[left, right, third]").replace("seed: 7", "seed: 8")),
    ):  # fmt: skip
        path.write_text(words)
        toy.run(root)
        toy.commit(root, name)
        toy.git(root, "tag", name)
    return root


def told(root: Path, base: str, head: str | None, folder: Path) -> dict[str, Any]:
    """Gather both sides; return the causes by stage besides all that was told."""
    review.gather(base, head, folder, root=root)
    found = json.loads((folder / "changes.json").read_text())
    found["told"] = {
        stage["stage"]: ([cause["words"] for cause in stage["direct"]], stage["after"], bool(stage["outputs"]))
        for stage in found["stages"]
    }  # fmt: skip
    return found


def test_code_that_writes_the_same_changes_no_stage_below(history: Path, tmp_path: Path) -> None:
    found = told(history, "start", "words", tmp_path)
    assert found["told"] == {"source": (["stages/source.py"], [], False)}
    assert found["same"] == 3
    assert found["stale"] == {"base": [], "head": []}


def test_code_of_one_stage_is_the_cause_of_its_items(history: Path, tmp_path: Path) -> None:
    found = told(history, "words", "code", tmp_path)
    own = (["stages/fit.py"], [], True)
    assert found["told"] == {"fit@left": own, "fit@right": own}  # their metrics are the same


def test_a_new_item_is_told_by_the_list_that_names_it(history: Path, tmp_path: Path) -> None:
    found = told(history, "code", "item", tmp_path)
    assert found["told"] == {
        "fit@third": (['transfer.runs: with "third"'], [], False),
        "compare": (['transfer.runs: with "third"'], ["fit@third"], True),
    }
    assert [stage["kind"] for stage in found["stages"]] == ["new", "changed"]


def test_the_seed_is_the_cause_where_it_is_read_and_what_follows_is_told(
    history: Path, tmp_path: Path
) -> None:
    found = told(history, "item", "seed", tmp_path)
    assert found["told"]["source"] == (["seed: 7 → 8"], [], True)
    assert found["told"]["fit@third"] == (["seed: 7 → 8"], ["source"], True)
    assert "compare" not in found["told"]  # the reports say the same
    assert found["data"]["base"] == {}  # the toy has no raw data


def test_several_changes_at_once_keep_their_own_stages(history: Path, tmp_path: Path) -> None:
    found = told(history, "start", "seed", tmp_path)["told"]
    assert found["source"][0] == ["stages/source.py", "seed: 7 → 8"]
    assert found["fit@left"] == (["stages/fit.py", "seed: 7 → 8"], ["source"], True)
    assert found["compare"][1] == ["fit@third"]


def test_a_change_that_was_not_run_is_stale(history: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(history, tmp_path / "toy", symlinks=True))
    (root / "params.yaml").write_text((root / "params.yaml").read_text().replace("8", "9"))
    found = told(root, "seed", None, tmp_path / "sides")
    assert found["head"]["uncommitted"] and found["head"]["name"] == ""
    (line,) = found["stale"]["head"]
    assert line.startswith(
        "dvc.lock was made with another `seed` of params.yaml (source, fit@left,"
    )
    assert found["stages"] == [] and found["stale"]["base"] == []


def test_commits_that_the_change_has_not_are_counted(history: Path, tmp_path: Path) -> None:
    assert told(history, "seed", "start", tmp_path)["apart"] == 4


def test_a_commit_without_results_is_refused(history: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(history, tmp_path / "toy", symlinks=True))
    toy.git(root, "rm", "-q", "dvc.lock")
    toy.commit(root)
    with pytest.raises(ValueError, match=r"the working tree has no dvc\.lock: nothing was run"):
        review.gather("seed", None, tmp_path / "sides", root=root)


def test_both_pages_tell_the_causes(history: Path, tmp_path: Path) -> None:
    review.review("item", "seed", tmp_path / "pages", root=history)
    text = (tmp_path / "pages/review.md").read_text()
    assert "Only the seed changed, so every difference of the test metrics is chance" in text
    assert "| parameter `seed: 7 → 8` | `source`, `fit@left`, `fit@right` and 1 more |" in text
    html = (tmp_path / "pages/review.html").read_text()
    assert "`fit@third` | parameter `seed: 7 → 8`; follows `source` |" in text
    assert html.startswith("<!doctype html>") and "seed: 7 → 8" in html
    assert toy.git(history, "status", "--porcelain") == ""


def test_hashes_are_those_that_dvc_wrote(finished: Path) -> None:
    source = sides.read(finished).entries["source"]
    assert sides.md5s(source, "outs") == {"data/source": sides.md5_of(finished / "data/source")}
