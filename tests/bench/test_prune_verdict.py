"""What `make bench-prune` says of its rows: honest words on paired differences, goals and rankings."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cxr import artifacts, seeding
from tests.bench import prune_figures, prune_rows, prune_validity, prune_verdict
from tests.bench.prune_rows import PARENT, SCRATCH, TRAINED_ON, UNCUT, WHOLE

AUROC = {
    PARENT: 0.90,
    TRAINED_ON: 0.92,
    "evolved": 0.88,
    "uniform": 0.85,
    "taylor": 0.87,
    SCRATCH: 0.70,
}


def table(*, jitter: float = 0.0, filled: float = 0.99) -> tuple[pd.DataFrame, dict]:
    """Rows of three seeds, and resamples in which every difference is as in the rows, give or take .005."""
    rows, resamples = [], {}
    noise = seeding.stream(3, "table").normal(0, 0.02, 400)
    for seed in range(3):
        for method, score in {**AUROC, "pruned": AUROC["taylor"]}.items():
            share = WHOLE if method in UNCUT else 50
            own = score + (jitter * seed if method == "evolved" else 0.0)
            worst = {"a": own - 0.1 * (method == "evolved"), "b": own}
            rows.append({
                "data": "nih14_lungmasked", "seed": seed, "share": share, "method": method, "part": "val",
                "images": "x", "openings": 0, "recipe": "r", "code": "one", "macs": 100, "parameters": 10,
                "filled": 1.0 if method != "uniform" else filled, "auroc": own, "accuracy": 0.5,
                "worst_label": "a", "worst_fall": 0.1, "val_auroc": 0.5,
                "origin": "taylor 1" if method == "pruned" else "", "labels": json.dumps(worst),
            })  # fmt: skip
            spread = 0.25 if method == "evolved" else 0.0
            resamples["nih14_lungmasked", seed, share, method] = own + noise + spread * noise[::-1]
    return pd.DataFrame(rows), resamples


def verdict(**options: Any) -> dict[str, Any]:
    found = prune_verdict.summarise(*table(**options))["nih14_lungmasked"]["shares"]["50"]
    json.dumps(found, allow_nan=False)
    return found


def test_the_best_baseline_is_the_one_with_the_best_mean() -> None:
    found = verdict()
    assert found["best_baseline"] == "taylor"
    assert list(found["differences"]) == ["uniform", "taylor", SCRATCH]
    assert found["differences"]["taylor"]["mean"] == pytest.approx(0.01)
    assert found["methods"]["pruned"]["origin"] == {
        "0": "taylor 1",
        "1": "taylor 1",
        "2": "taylor 1",
    }
    assert found["methods"]["evolved"]["worst_label"]["label"] == "a"
    assert found["methods"]["evolved"]["worst_label"]["fall"] == pytest.approx(0.12)


def test_intervals_over_seeds_are_students_and_those_over_patients_paired() -> None:
    found = verdict(jitter=0.01)
    over_seeds = found["differences"]["taylor"]
    # 0.01, 0.02, 0.03; t(0.975, 2) = 4.3027 x 0.01 / sqrt(3)
    assert over_seeds["mean"] == pytest.approx(0.02)
    assert over_seeds["low"] == pytest.approx(0.02 - 0.024841, abs=1e-6)
    assert over_seeds["verdict"] == "can't tell"
    one = found["bootstrap"]["evolved_less_best_baseline"]
    assert one["seeds"]["1"]["value"] == pytest.approx(0.02)
    # the noise that both share is gone: what is left is a quarter of it, the same for all seeds
    half = 1.96 * 0.25 * 0.02
    assert one["together"]["value"] == pytest.approx(0.02)
    assert one["together"]["low"] == pytest.approx(0.02 - half, abs=0.002)
    assert one["together"]["high"] == pytest.approx(0.02 + half, abs=0.002)
    loss = found["bootstrap"]["parent_less_evolved"]["together"]
    assert loss["value"] < loss["bound_95"] < loss["high"]


def test_goals_are_judged_by_their_bounds() -> None:
    def met(**options: Any) -> dict[str, bool]:
        return {one["goal"].split(":")[0]: one["met"] for one in verdict(**options)["goals"]}

    found = met()
    assert found["evolved at least as good as every baseline, in the mean over seeds"]
    assert not found["parent less evolved"] and not found["parent less pruned"]  # .02 and .03 lost
    assert not found["trained_on less evolved"]  # .04
    assert found["MACs of all rows within 3%"]
    spread = {
        one["goal"]: one["met"] for one in verdict(jitter=0.01)["goals"]
    }  # .01, .02, .03 ahead
    assert spread["evolved less taylor: the interval over patients above zero, all seeds together"]
    assert not spread["evolved less taylor: the interval over seeds above zero"]
    near = met(jitter=0.02, filled=0.9)
    assert near["parent less evolved"] and not near["trained_on less evolved"]
    assert not near["MACs of all rows within 3%"]
    assert verdict(filled=0.9)["unmatched"][0] == "uniform, seed 0: 0.900 of the MACs allowed"
    assert not met(jitter=-0.02)[
        "evolved at least as good as every baseline, in the mean over seeds"
    ]


def test_the_best_of_all_and_the_best_of_the_usual_ones_are_both_rivals() -> None:
    rows, resamples = table()
    own = rows["method"] == "taylor"
    better = rows[own].assign(method="reconstruction", auroc=0.89)
    draws = {
        (*key[:3], "reconstruction"): found + 0.02
        for key, found in resamples.items() if key[3] == "taylor"
    }  # fmt: skip
    found = prune_verdict.summarise(pd.concat([rows, better]), {**resamples, **draws})
    share = found["nih14_lungmasked"]["shares"]["50"]
    assert (share["best_baseline"], share["best_usual"]) == ("reconstruction", "taylor")
    ahead = share["bootstrap"]["evolved_less_best_usual"]["together"]["value"]
    assert ahead == pytest.approx(0.01)
    met = {one["goal"]: one["met"] for one in share["goals"]}
    assert met["evolved at least as good as every usual baseline, in the mean over seeds"]
    assert not met["evolved at least as good as every baseline, in the mean over seeds"]
    for rival in ("reconstruction", "taylor"):
        assert f"evolved less {rival}: the interval over seeds above zero" in met


def test_the_verdict_is_told_tabled_and_drawn(tmp_path: Path) -> None:
    rows, resamples = table(filled=0.9)
    found = prune_verdict.summarise(rows, resamples)
    shown = prune_verdict.table(found)
    assert shown["method"].tolist() == [*UNCUT, "evolved", "uniform", "taylor", "pruned", SCRATCH]
    assert shown["evolved_less_it"].iloc[3] == pytest.approx(0.03) and math.isnan(
        shown["low"].iloc[0]
    )
    lines = "\n".join(prune_verdict.lines(found))
    assert "versions" not in lines
    mixed = prune_verdict.summarise(
        rows.assign(code=[f"code-{x}" for x in rows["seed"]]), resamples
    )
    assert "its rows were made by 3 versions of the code" in "\n".join(prune_verdict.lines(mixed))
    assert "not matched: uniform, seed 0" in lines and "NOT MET: parent less pruned" in lines
    drawn = prune_figures.verdict(rows, resamples)
    assert len(drawn.axes) == 2
    artifacts.write_figure(tmp_path / "x.png", drawn)


def test_a_first_seed_alone_has_a_verdict_without_intervals_over_seeds() -> None:
    rows, resamples = table()
    found = prune_verdict.summarise(rows[rows["seed"] == 0], resamples)
    share = found["nih14_lungmasked"]["shares"]["50"]
    assert share["differences"]["taylor"]["low"] is None
    assert share["bootstrap"]["evolved_less_best_baseline"]["together"]["low"] is not None
    assert prune_verdict.summarise(rows, {})["nih14_lungmasked"]["shares"]["50"]["bootstrap"]["parent_less_pruned"] is None  # fmt: skip
    list(prune_verdict.lines(found))


def test_rows_and_resamples_are_kept_and_a_lost_sitting_leaves_none_twice(tmp_path: Path) -> None:
    rows, resamples = table()
    kept = prune_rows.Rows(tmp_path)
    assert kept.left({"nih14_lungmasked": range(2)}) == [
        ("nih14_lungmasked", 0),
        ("nih14_lungmasked", 1),
    ]
    first = rows[rows["seed"] == 0].to_dict("records")
    drawn = [resamples[tuple(row[x] for x in prune_rows._KEY)] for row in first]
    drawn[0] = np.array([math.nan, *drawn[0][1:]])
    kept.keep(first, drawn)  # type: ignore[arg-type]
    assert kept.left({"nih14_lungmasked": range(2)}) == [("nih14_lungmasked", 1)]
    back = kept.resamples()["nih14_lungmasked", 0, WHOLE, PARENT]
    assert math.isnan(back[0]) and back[1:] == pytest.approx(drawn[0][1:], abs=5.1e-6)
    pd.testing.assert_frame_equal(
        kept.read().fillna({"origin": ""}),
        pd.DataFrame(first),
        check_dtype=False,
        check_exact=False,
    )
    kept.path.unlink()  # lost between the two files
    kept.keep(first, drawn)  # type: ignore[arg-type]
    assert len(artifacts.read_csv(tmp_path / "resamples.csv")) == len(first) == 7
    lacking = [row for row in first if row["method"] != TRAINED_ON]
    artifacts.write_csv(kept.path, pd.DataFrame(lacking))
    assert kept.left({"nih14_lungmasked": range(1)}) == [("nih14_lungmasked", 0)]
    kept.keep(first, drawn)  # type: ignore[arg-type]
    assert kept.read()["method"].tolist() == [row["method"] for row in (*lacking, first[1])]
    assert len(artifacts.read_csv(tmp_path / "resamples.csv")) == 7
    moved = [{**row, "auroc": row["auroc"] + 1e-6} for row in first]
    with pytest.raises(
        ValueError, match=r"says AUROC 0.9 of parent at 100 % \(nih.*, seed 0\), now"
    ):
        kept.keep(moved, drawn)  # type: ignore[arg-type]
    kept.check({"nih14_lungmasked": "r"})
    with pytest.raises(
        ValueError, match=r"7 rows of nih14_lungmasked of another recipe \(r, now s\)"
    ):
        kept.check({"nih14_lungmasked": "s"})


def ranked(networks: int = 40) -> pd.DataFrame:
    """Networks whose loss before training ranks them rightly, whose AUROC and MACs say nothing."""
    rng = seeding.stream(1, "ranked")
    final = rng.random(networks)
    columns = {x: rng.random(networks) for x in ("auroc", "distance", "brief_auroc", "brief_loss")}
    return pd.DataFrame({
        "share": 50, "number": range(networks), "macs": rng.integers(970, 1000, networks),
        "parameters": 1, **columns, "loss": 1 - final, "final_auroc": final, "final_loss": 1 - final,
        "again_auroc": final, "again_loss": final,
    })  # fmt: skip


def test_a_fitness_that_ranks_rightly_has_a_tau_of_one_and_says_more_than_macs(
    tmp_path: Path,
) -> None:
    found = prune_validity.summarise(ranked())
    json.dumps(found, allow_nan=False)
    by_auroc, by_loss = (found["50"][final] for final in prune_validity.FINALS)
    assert by_auroc["tau"]["loss"]["value"] == by_auroc["tau"]["again"]["value"] == 1
    assert by_loss["tau"]["loss"]["value"] == 1 and by_loss["tau"]["again"]["value"] == -1
    assert by_auroc["less_macs"]["loss"]["above_zero"]
    assert not by_auroc["less_macs"]["auroc"]["above_zero"]
    less = by_auroc["less_macs"]["loss"]
    assert less["value"] == pytest.approx(1 - by_auroc["tau"]["macs"]["value"])
    assert less["low"] < less["value"] < less["high"]
    table = pd.concat([ranked(), ranked().assign(share=30)])
    drawn = prune_figures.validity(table, prune_validity.summarise(table), prune_validity.MEASURES)
    assert len(drawn.axes) == 2 * len(prune_validity.MEASURES)
    artifacts.write_figure(tmp_path / "x.png", drawn)
    said = ["\n".join(prune_validity.lines(found, fitness=x)) for x in ("loss", "auroc")]
    assert "loss before training: +1.00" in said[0]
    assert "goes by loss before training: it says more than MACs" in said[0]
    assert "goes by AUROC before training: it IS NOT SHOWN to say more than MACs" in said[1]
