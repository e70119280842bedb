"""What the pages say is what the numbers are."""

from __future__ import annotations

from pathlib import Path

from cxr.review import story
from tests.review import cases


def test_a_gain_is_told_with_its_interval_and_its_cause(tmp_path: Path) -> None:
    review = story.gather(cases.better(tmp_path))
    words = story.headline(review)
    assert words.startswith(
        "2 of 5 stages changed, 1 of them in what they write; 2 of 2 differences"
    )
    assert "AUROC of small better (+0." in words and "large" not in words
    assert story.causes(review) == [("parameter", cases.EPOCHS_CAUSE["words"], ["transfer@small"])]
    assert story.notices(review) == []
    assert "paired resamples of patients" in story.reading(review)
    assert review.alike == ["large"]


def test_a_change_of_the_seed_alone_is_chance_and_says_how_far_it_goes(tmp_path: Path) -> None:
    review = story.gather(cases.reseeded(tmp_path))
    assert review.seed_only
    widest = max(abs(one.value) for one in review.found if one.metric == "auroc")
    assert f"AUROC up to {widest:.3f}" in story.headline(review)
    assert "every difference of the test metrics is chance" in story.headline(review)
    (why, misled) = story.notices(review)
    assert "equally good tries of one study" in why
    assert misled.startswith("By patients alone, 2 of 2 differences would have passed for more")
    assert {story.verdict(one) for one in review.found} == {"chance: only the seed changed"}


def test_the_seed_is_not_alone_if_anything_else_changed() -> None:
    stages = [cases.stage("fit", cases.SEED_CAUSE)]
    rows = [("seed", "1", "2")]
    assert story.only_the_seed(stages, rows)
    assert not story.only_the_seed(stages, [*rows, ("epochs", "4", "8")])
    code = {"kind": "code", "what": "cxr/seed.py", "words": "cxr/seed.py"}
    assert not story.only_the_seed([*stages, cases.stage("late", code)], rows)
    assert not story.only_the_seed([], rows)


def test_what_makes_numbers_doubtful_is_said_first(tmp_path: Path) -> None:
    odd = {"kind": "unexplained", "what": "fit", "words": "reads the same"}
    cases.side(tmp_path / "base", {"small": cases.predictions(0.5)})
    cases.side(tmp_path / "head", {"small": cases.predictions(0.6, shift=1)})
    cases.changes(
        tmp_path, cases.stage("fit", odd), apart=2,
        stale={"base": [], "head": ["dvc.lock was made with another cxr/a.py (fit): run it"]},
    )  # fmt: skip
    words = "\n".join(story.notices(story.gather(tmp_path)))
    assert "Now: dvc.lock was made with another cxr/a.py" in words
    assert "No cause found for fit" in words
    assert "2 commits that the change does not have" in words
    assert "The test images are not the same on both sides (all models)" in words


def test_no_changed_stage_is_said_plainly(tmp_path: Path) -> None:
    for name in ("base", "head"):
        cases.side(tmp_path / name, {"small": cases.predictions(0.5)})
    review = story.gather(cases.changes(tmp_path))
    assert story.headline(review) == "No stage changed: the results are those from before."


def test_a_verdict_that_the_other_comparisons_took_away_says_so(tmp_path: Path) -> None:
    models = {f"m{i}": cases.predictions(0.8, noise=i) for i in range(4)}
    cases.side(tmp_path / "base", models)
    cases.side(tmp_path / "head", {name: cases.predictions(0.8, noise=9 + i) for i, name in enumerate(models)})  # fmt: skip
    review = story.gather(cases.changes(tmp_path, cases.stage("fit", cases.EPOCHS_CAUSE)))
    alone = [one for one in review.found if one.verdict == "noise" and one.alone_significant]
    others = [one for one in review.found if one.verdict == "noise" and not one.alone_significant]
    assert others and {story.verdict(one) for one in others} == {"no more than noise"}
    assert {story.verdict(one) for one in alone} <= {"no more than noise; by itself it would count"}
