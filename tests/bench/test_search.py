"""`make bench-search`: what it may look at, what it keeps, and what it says of paired differences."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cxr import artifacts, params
from stages import search as stage
from tests.bench import search, search_data, search_duel, search_rows, search_verdict
from tests.search.settings import PARTS, RECIPE, make_project

Python = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module", autouse=True)
def alone() -> Iterator[None]:
    """Work in this process: starting others takes longer than these networks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXR_WORKERS", "1")
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared images and divisions of one fold, as `search_data.project` leaves them."""
    project = tmp_path_factory.mktemp("project")
    splits = make_project(project, parts=[*PARTS, *PARTS])
    artifacts.write_csv(project / "data/splits.csv", splits.drop(columns="fold_1"))
    return project / "data"


@pytest.fixture(scope="module")
def said(folder: Path) -> dict[str, Any]:
    """The rows of a duel that was judged on val."""
    return fight(duel(folder, "val"))


def settings(**changes: Any) -> stage.Params:
    recipe = {**RECIPE, "baselines": ["largest"], **changes}
    return params.build(stage.Params, recipe, where="recipe")


def duel(folder: Path, part: search_duel.Part, **options: Any) -> search_duel.Duel:
    return search_duel.prepare("toy", settings(), folder, folder / "scratch", seed=3, part=part, **options)  # fmt: skip


def fight(given: search_duel.Duel, opened: Callable[[], None] = lambda: None) -> dict[str, Any]:
    return {row["method"]: row for row in search_duel.run(given, baselines=True, opened=opened)}


def test_test_images_choose_nothing_and_are_looked_at_after_all_is_chosen(
    folder: Path, said: dict[str, Any]
) -> None:
    assert list(said) == ["evolved", "random", "largest"]
    given = duel(folder, "test")
    before: list[int] = []

    def opened() -> None:
        before.append(sum(1 for _ in given.held.folder.glob("*.json")))

    proved = fight(given, opened)
    assert before == [0]  # once, and no record of test was there
    chosen = ("network", "macs", "search_val_auroc", "networks", "samples")
    for method in ("evolved", "random"):
        assert {key: proved[method][key] for key in chosen} == {key: said[method][key] for key in chosen}  # fmt: skip
        assert proved[method]["search_val_hypervolume"] == said[method]["search_val_hypervolume"]
    assert [row["auroc"] for row in proved.values()] != [row["auroc"] for row in said.values()]


def test_methods_see_as_many_images(said: dict[str, Any]) -> None:
    assert said["evolved"]["samples"] == said["random"]["samples"]
    assert said["evolved"]["networks"] == said["random"]["networks"] == 6
    assert "hypervolume" not in said["largest"]


def test_a_sitting_that_is_over_goes_on_where_it_ended(
    folder: Path, tmp_path: Path, said: dict[str, Any]
) -> None:
    other = search_duel.prepare(
        "toy", settings(), folder, tmp_path / "other", seed=3, part="val", deadline=time.monotonic()
    )
    with pytest.raises(search_duel.Over):
        fight(other)
    other.judge.deadline = time.monotonic() + 600
    assert fight(other) == said


def rows(evolved: list[float], random: list[float]) -> pd.DataFrame:
    made: list[dict[str, Any]] = []
    for seed, pair in enumerate(zip(evolved, random, strict=True)):
        for method, value in zip(("evolved", "random"), pair, strict=True):
            made.append(
                {
                    **dict.fromkeys(search_rows.COLUMNS, 1), "data": "toy", "seed": seed,
                    "method": method, "part": "val", "recipe": "r", "network": "{}",
                    "hypervolume": value, "auroc": 0.5,
                }
            )  # fmt: skip
    baseline = {**made[-1], "method": "largest", "seed": 0, "auroc": 0.7, "hypervolume": None}
    return pd.DataFrame([*made, baseline], columns=search_rows.COLUMNS)


@pytest.mark.parametrize(
    ("evolved", "verdict"),
    [
        ([0.52, 0.53, 0.54], "evolved wins"),
        ([0.48, 0.47, 0.46], "random wins"),
        ([0.52, 0.53, 0.40], "can't tell"),
        ([0.52], "can't tell"),
    ],
)
def test_a_win_is_an_interval_above_zero(evolved: list[float], verdict: str) -> None:
    found = search_verdict.summarise(rows(evolved, [0.5] * len(evolved)))["toy"]
    paired = found["differences"]["hypervolume"]
    assert paired["verdict"] == verdict
    assert paired["seeds"] == pytest.approx({str(i): x - 0.5 for i, x in enumerate(evolved)})
    assert found["differences"]["auroc"]["mean"] == 0.0
    assert found["methods"]["largest"]["auroc"]["mean"] == 0.7
    assert "hypervolume" not in found["methods"]["largest"]


def test_the_interval_is_students() -> None:
    paired = search_verdict.summarise(rows([0.51, 0.52, 0.53], [0.5, 0.5, 0.5]))["toy"]
    found = paired["differences"]["hypervolume"]
    # t(0.975, 2) = 4.3027 x 0.01 / sqrt(3)
    assert (found["low"], found["high"]) == pytest.approx((0.02 - 0.024841, 0.02 + 0.024841), abs=1e-6)  # fmt: skip


def test_summary_is_json_and_figure_is_drawn(tmp_path: Path) -> None:
    table = rows([0.52, 0.49], [0.5, 0.5])
    json.dumps(search_verdict.summarise(table), allow_nan=False)
    drawn = search_verdict.figure(pd.concat([table, table.assign(data="other")]))
    assert len(drawn.axes) == 6
    artifacts.write_figure(tmp_path / "x.png", drawn)
    assert "toy, judged on val:" in list(search_verdict.lines(search_verdict.summarise(table)))


def test_rows_are_kept_and_never_mixed(tmp_path: Path) -> None:
    kept = search_rows.Rows(tmp_path)
    assert not kept.has("toy", 0)
    table = rows([0.52, 0.53], [0.5, 0.5])
    for seed in (0, 1):
        kept.add(table[table["seed"] == seed].to_dict("records"))  # type: ignore[arg-type]
    assert kept.has("toy", 1) and not kept.has("toy", 2) and not kept.has("other", 1)
    assert search_verdict.differences(kept.read(), "hypervolume").tolist() == pytest.approx([0.02, 0.03])  # fmt: skip
    kept.check({"toy": "r", "other": "new"})
    with pytest.raises(ValueError, match=r"5 rows of toy of another recipe \(r, now s\)"):
        kept.check({"toy": "s"})


def test_every_opening_of_test_is_on_record(tmp_path: Path) -> None:
    kept = search_rows.Rows(tmp_path)
    assert [kept.open("toy", 0), kept.open("toy", 1), kept.open("toy", 0)] == [1, 1, 2]
    assert (tmp_path / "openings.csv").read_text() == "data,seed\ntoy,0\ntoy,1\ntoy,0\n"


def test_data_sets_take_turns_and_finished_seeds_are_left_out(tmp_path: Path) -> None:
    plan = search.Plan({"a": [0, 1, 2], "toy": [0, 1]}, {}, "val", tmp_path)
    kept = search_rows.Rows(tmp_path)
    assert plan.left(kept) == [("a", 0), ("toy", 0), ("a", 1), ("toy", 1), ("a", 2)]
    kept.add(rows([0.5], [0.5]).to_dict("records"))  # type: ignore[arg-type]
    assert plan.left(kept) == [("a", 0), ("a", 1), ("toy", 1), ("a", 2)]


def test_changes_replace_single_keys() -> None:
    tree = {"space": {"name": "cells", "caps": {"macs": 1}}, "generations": 3}
    changed = search_data.merged(tree, {"space": {"caps": {"macs": 2}}})
    assert changed == {"space": {"name": "cells", "caps": {"macs": 2}}, "generations": 3}


@pytest.mark.parametrize(
    ("words", "real", "said"),
    [
        ([], None, "CXR_REAL_DATA must name the folder of real data"),
        (["--seeds", "100"], ".", "go with --validation"),
        (["--validation", "--seeds", "3"], ".", "develop on seeds from 100 on, not on 3"),
    ],
)
def test_what_cant_be_done_is_one_clear_line(
    words: list[str], real: str | None, said: str, python: Python
) -> None:
    done = python("-m", "tests.bench.search", *words, env={"CXR_REAL_DATA": real} if real else {})
    assert done.returncode == 1
    assert done.stderr.startswith("bench-search: error: ") and said in done.stderr
    assert len(done.stderr.splitlines()) == 1
