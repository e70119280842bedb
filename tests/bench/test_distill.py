"""What `make bench-distill` says of its rows, and that its recipe is one that stages take."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cxr import params, seeding
from cxr.training.recipe import Recipe
from stages import finish, prune
from tests.bench import distill, distill_student, distill_verdict
from tests.bench.distill import ALONE, BRIEF, STUDENTS, TAUGHT, TEACHER
from tests.bench.prune_rows import WHOLE

AUROC = {TEACHER: 0.93, ALONE: 0.91, BRIEF: 0.915, TAUGHT: 0.925}


def table(
    *, spread: float = 0.0
) -> tuple[pd.DataFrame, dict[tuple[str, int, int, str], np.ndarray]]:
    """Rows of three seeds, and resamples of which the taught student's vary by `spread` more."""
    rows, resamples = [], {}
    noise = seeding.stream(3, "table").normal(0, 0.02, 400)
    for seed in range(3):
        for method, score in AUROC.items():
            rows.append({
                "data": distill.DATA, "seed": seed, "share": WHOLE, "method": method, "part": "val",
                "auroc": score, "accuracy": 0.8, "macs": 50 if method == TEACHER else 10,
                "parameters": 5,
            })  # fmt: skip
            own = spread * noise[::-1] if method == TAUGHT else 0.0
            resamples[distill.DATA, seed, WHOLE, method] = score + noise + own
    return pd.DataFrame(rows), resamples


def met(found: dict[str, Any]) -> list[bool]:
    json.dumps(found, allow_nan=False)
    return [goal["met"] for goal in found["goals"]]


def test_a_gain_in_every_draw_and_seed_is_a_gain() -> None:
    found = distill_verdict.summarise(*table())
    assert found["gains"][ALONE]["patients"]["together"]["value"] == pytest.approx(0.015)
    assert found["gains"][BRIEF]["patients"]["together"]["value"] == pytest.approx(0.010)
    assert found["distance"]["seeds"]["mean"] == pytest.approx(0.005)
    assert met(found) == [True] * 6
    assert "met: at most 0.25 of the teacher's MACs (+0.2000)" in "\n".join(
        distill_verdict.lines(found)
    )


def test_a_gain_that_other_patients_would_not_show_is_none() -> None:
    assert met(distill_verdict.summarise(*table(spread=1.0))) == [
        True,
        False,
        True,
        False,
        True,
        True,
    ]


def test_the_study_is_a_recipe_for_all_stages() -> None:
    changes = {"finish": {"recipes": {TEACHER: {"distillation": {"weight": 0.9}}}}}
    tree = distill.recipes(quick=True, changes=changes)
    recipe = params.build(Recipe, tree["transfer"]["recipes"][TEACHER], where=TEACHER)
    lesson = params.build(finish.Params, tree["finish"]["recipes"][TEACHER], where="finish")
    cut = params.build(prune.Params, tree["prune"]["recipes"][TEACHER], where="prune")
    assert (recipe.epochs, lesson.epochs, lesson.distillation.weight) == (1, 1, 0.9)
    assert f"uniform_{round(100 * cut.shares[0])}" == distill.CUT
    assert cut.shares[0] <= distill_verdict.CHEAPER


def test_students_differ_in_their_lesson_alone() -> None:
    tree = distill.recipes(quick=False, changes={})
    studied = params.build(finish.Params, tree["finish"]["recipes"][TEACHER], where="finish")
    own = {name: distill_student.settings(name, studied) for name in STUDENTS}
    assert own[TAUGHT] == studied and studied.distillation.weight > 0
    assert own[ALONE].distillation.weight == own[BRIEF].distillation.weight == 0
    assert own[ALONE].epochs == studied.epochs > own[BRIEF].epochs
    assert len({x.optimizer for x in own.values()}) == 1


def test_test_images_are_not_for_development() -> None:
    options = distill.parse(["--quick"])
    with pytest.raises(ValueError, match="go with --develop"):
        distill.plan(options)
    with pytest.raises(ValueError, match="from 100 on, not on 2"):
        distill.plan(distill.parse(["--develop", "--seeds", "2"]))
