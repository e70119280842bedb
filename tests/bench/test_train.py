"""`make bench-train`: contenders do the same work, rows are kept with what they depend on, promises are judged rightly."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cxr import artifacts, numerics, seeding
from cxr.phantom.patient import patient
from cxr.phantom.radiograph import radiographs
from cxr.training import loop
from cxr.training.augmentation import augment
from tests.bench import (
    phantoms,
    train,
    train_decode,
    train_frozen,
    train_loop,
    train_rows,
    train_setup,
    train_usual,
)
from tests.search.settings import make_project
from tests.training.test_loop import bright_or_dark

Python = Callable[..., "subprocess.CompletedProcess[str]"]
numerics.exact_torch()


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder and one process of one's own; the cores are given back."""
    monkeypatch.setenv("CXR_BENCH_FOLDER", str(tmp_path / "bench"))
    monkeypatch.setenv("CXR_WORKERS", "1")
    cores = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, cores)
    torch.set_num_threads(1)


def toy(**changes) -> train_loop.Work:
    settings = train_setup.recipe(**{"epochs": 3, "batch_size": 8, "augmentation": train_setup.STILL, **changes})  # fmt: skip
    return train_loop.Work(settings, bright_or_dark(20, seed=2), bright_or_dark(4, seed=3), seed=1)


AUGMENTED = train_setup.recipe().augmentation


RATES = {
    "learning_rate": 7e-4,
    "head_learning_rate": 2e-3,
    "weight_decay": 0.01,
    "warmup_epochs": 0.5,
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"augmentation": dataclasses.asdict(AUGMENTED)},
        {"optimizer": RATES, "mean": 0.5, "std": 0.5},
    ],
)
def test_ours_and_the_bare_loop_are_equal_to_the_bit(changes):
    work = toy(**changes)
    made = train_loop.ready(work)
    bare = train_loop.train_bare(work, work.network(), made)
    ours = train_loop.train_ours(work, work.network())
    assert bare == ours
    assert len(set(bare.losses)) == 3
    assert [len(some) for some in made] == [2, 2, 2] and work.images == 48


def test_what_the_equality_rests_on_is_seen_to_differ():
    work = toy()
    made = train_loop.ready(work)
    wanted = train_loop.train_bare(work, work.network(), made)
    other = dataclasses.replace(work, seed=2)
    assert train_loop.train_bare(other, other.network(), made).weights != wanted.weights
    turned = [some[::-1] for some in made]  # the same batches in another order
    assert train_loop.train_bare(work, work.network(), turned).losses != wanted.losses
    settings = train_setup.recipe(epochs=3, batch_size=8, augmentation=train_setup.STILL,
        optimizer={**RATES, "weight_decay": 0.011})  # fmt: skip
    decayed = dataclasses.replace(work, recipe=settings)
    rated = toy(optimizer=RATES)
    assert (
        train_loop.train_ours(decayed, decayed.network()).weights
        != train_loop.train_ours(rated, rated.network()).weights
    )


def test_still_leaves_an_image_alone():
    image = bright_or_dark(1, seed=2).images_NHW[0]
    still = train_setup.recipe(augmentation=train_setup.STILL).augmentation
    assert np.array_equal(augment(image, still, rng=seeding.stream(1, "any")), image)
    assert not np.array_equal(augment(image, AUGMENTED, rng=seeding.stream(1, "any")), image)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Phantoms of 64 px as PNG, under the names that make_bench's have."""
    folder = tmp_path_factory.mktemp("files")
    for index in range(12):
        who = patient(phantoms._SEED, index, task="multilabel")
        pixels = radiographs(phantoms._SEED, who, image_px=64)[0].pixels_HW
        phantoms.write(folder / f"{index:04d}.png", pixels)
    return [str(path) for path in sorted(folder.iterdir())]


def job(files: list[str], **changes) -> train_usual.Job:
    settings = train_setup.recipe(epochs=2, batch_size=4, augmentation=train_setup.STILL)
    about = {"way": "ours", "workers": 0, "cores": 1, "val": 4, "px": 32, "seed": 1}
    tree = json.loads(json.dumps(dataclasses.asdict(settings)))
    return train_usual.Job(**{**about, "files": files, "recipe": tree, **changes})


def test_both_ways_see_the_same_pixels(files, tmp_path):
    ours = train_usual._prepared(job(files), tmp_path)
    by_area = np.stack([train_usual.with_cv2(path, 32) for path in files])
    assert np.array_equal(np.rint(255 * by_area), ours)
    bilinear = np.stack([train_usual.with_pil(path, 32) for path in files])
    assert bilinear.dtype == np.float32 and 0.001 < np.abs(bilinear - by_area).mean() < 0.02
    labels = train_setup.with_effusion([Path(path) for path in files])
    assert labels.sum(axis=1).tolist() == [1.0] * 12 and 0 < labels[:, 1].sum() < 12


def test_a_file_of_the_usual_way_is_what_ours_trains_on(files, tmp_path):
    """Normalised, in the order of the files; the last are val's."""
    from cxr.training import batches

    given = job(files, way="cv2")
    seen = train_usual.Files(given, slice(0, 8))
    ours = batches.normalise(train_usual._prepared(given, tmp_path), mean=0.449, std=0.226)
    assert len(seen) == 8
    assert torch.allclose(torch.stack([seen[i][0] for i in range(8)]), ours[:8], atol=1e-6)
    assert [seen[i][1] for i in range(8)] == train_setup.with_effusion([Path(x) for x in files])[:8].argmax(axis=1).tolist()  # fmt: skip


@pytest.mark.parametrize("way", ["ours", "PIL", "cv2"])
def test_a_job_trains_repeats_and_is_judged(files, way):
    found, again = (train_usual.work(job(files, way=way)) for _ in range(2))
    assert len(found.losses) == 2 and np.isfinite(found.losses).all()
    assert (found.losses, found.val_auroc, found.val_accuracy) == (again.losses, again.val_auroc, again.val_accuracy)  # fmt: skip
    assert 0 <= found.val_accuracy <= 1
    assert (found.decoding_seconds > 0) == (way == "ours")
    assert found.decoding_seconds < found.seconds
    assert os.sched_getaffinity(0) == {train_usual._CORES[0]}


def test_the_usual_ways_workers_read_the_same_first_epoch(files):
    alone, helped = (
        train_usual.work(job(files, way="cv2", workers=count)) for count in (0, 1)
    )  # fmt: skip
    assert alone.losses[0] == helped.losses[0]


def test_a_process_in_a_users_environment_works_jobs_and_says_why_it_ended(files):
    with contextlib.closing(train_decode.Process("user")) as process:
        process.ready()
        found = process.work(job(files, way="cv2", workers=1))
        assert len(found.losses) == 2 and found.seconds > 0
        with pytest.raises(ValueError, match=r"a contender of decode ended: (?s:.*)0099\.png"):
            process.work(job([*files[:-1], "0099.png"], way="PIL"))


@pytest.mark.slow
def test_decode_tries_all_ways_and_ours_meets_the_fastest(files, monkeypatch):
    monkeypatch.setattr(phantoms, "images", lambda count: [Path(path) for path in files[:count]])
    rows = list(train_decode.measure(train=8, val=4, batch=4, epochs=2, px=32, rounds=2, start={}))
    for cores in train_decode.CORES.values():
        tried = {x.way: x for x in rows if x.part == train_rows.TRIED and x.way.endswith(cores)}
        assert len(tried) == 12
        fastest = min(tried, key=lambda way: tried[way].seconds)
        met = [x for x in rows if x.part == "decode" and x.way.endswith(cores)]
        assert [x.way for x in met] == [f"{x}, {cores}" for x in ("usual", "ours", "ours", "usual")]
        assert {f"{x.about}, {cores}" for x in met if x.way.startswith("usual")} == {fastest}
        assert [x.decoding_seconds > 0 for x in met] == [False, True, True, False]
        assert met[0].round == met[1].round != met[2].round == met[3].round  # a seed for each round
    assert {(x.part, x.images) for x in rows} == {("decode", 16), (train_rows.TRIED, 8)}


def test_kept_features_end_with_the_same_bytes_and_views_do_not(tmp_path):
    parts = bright_or_dark(16, seed=2), bright_or_dark(8, seed=3)
    plain = train_setup.recipe(
        head=train_frozen.HEAD, trainable=["head"], epochs=2, batch_size=8, augmentation=train_setup.STILL
    )  # fmt: skip
    given = {
        "images": plain,
        "features": dataclasses.replace(plain, frozen_views=1),
        "fresh": dataclasses.replace(plain, augmentation=AUGMENTED),
    }
    rows = {x: train_frozen._row("frozen", x, given[x], parts, seed=0) for x in given}
    assert rows["images"].weights == rows["features"].weights != rows["fresh"].weights
    assert rows["images"].images == 32 and rows["images"].train_loss == rows["features"].train_loss
    viewed = train_frozen.views([train_frozen.Fold(0, *parts)], dataclasses.replace(plain, augmentation=AUGMENTED))  # fmt: skip
    assert [x.way for x in viewed] == list(train_frozen.VIEWS)
    weights = {x.way: x.weights for x in viewed}
    assert weights["fresh"] == rows["fresh"].weights and weights["unchanged"] == rows["images"].weights  # fmt: skip
    assert len(set(weights.values())) == 4


def test_views_are_judged_on_val_and_search_val_and_never_on_test(tmp_path):
    project = phantoms.home() / "darkcovidnet-32px"
    splits = make_project(project)
    (project / "data/prepared").rename(project / "prepared")
    artifacts.write_csv(project / "splits.csv", splits)
    every = pd.read_csv(project / "splits.csv")
    first, second = train_frozen.real_folds(tmp_path, px=32, count=2)
    counts = every["fold_0"].value_counts()
    assert len(first.train.images_NHW) == counts["train"]
    assert len(first.val.images_NHW) == counts["val"] + counts["search_val"]
    assert len(first.val.images_NHW) == len(first.val.labels_NL)
    test = np.flatnonzero(every["fold_0"] == "test")
    from cxr import prepared

    unseen = prepared.read(project / "prepared").gather(test)
    seen = {x.tobytes() for part in (first.train, first.val) for x in part.images_NHW}
    assert len(test) and not seen & {x.tobytes() for x in unseen}
    assert (first.seed, second.seed) == (0, 1)


def test_turns_are_fair():
    found = list(train_setup.turns(("a", "b", "c"), 3))
    assert "".join(way for _, way in found) == "abcbcacab"
    assert [number for number, _ in found] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_the_clock_counts_processor_time_of_children():
    with train_setup.clock() as took:
        subprocess.run(["python3", "-c", "sum(range(10**7))"], check=True)
    assert took.cpu_seconds > 0.05 and took.seconds > 0.05


def row(way: str, number: int, seconds: float, **changes) -> train_rows.Row:
    about = {"part": "loop", "px": 32, "images": 100, "cpu_seconds": seconds, "train_loss": 0.5}
    return train_rows.Row(**{**about, "way": way, "round": number, "seconds": seconds, **changes})


def summary(rows: list[train_rows.Row], tmp_path: Path) -> dict:
    kept = train_rows.Rows(tmp_path, {"step": "hash"})
    kept.add("step", rows)
    found = train_rows.summarise(kept.read())  # as read from the file
    json.dumps(found, allow_nan=False)
    assert "\n".join(train_rows.lines(found))
    return found


@pytest.mark.parametrize(("ours", "kept"), [((1.0, 1.04, 3.0), True), ((1.06, 1.07, 0.5), False)])
def test_the_median_of_paired_rounds_keeps_or_breaks_a_promise(tmp_path, ours, kept):
    rows = [row("bare", i, 1.0, weights="a") for i in range(3)]
    rows += [row("ours", i, seconds, weights="a") for i, seconds in enumerate(ours)]
    found = summary(rows, tmp_path)["loop, 32 px"]
    (promise,) = found["promises"]
    assert promise["times"]["median"] == pytest.approx(1 / ours[1] if kept else 1 / 1.06)
    assert (promise["kept"], promise["promised"], found["same_bytes"]) == (kept, 0.95, True)
    assert found["ways"]["ours"]["images_per_second"]["median"] == pytest.approx(100 / sorted(ours)[1])  # fmt: skip


@pytest.mark.parametrize("changes", [{"weights": "b"}, {"weights": "a", "train_loss": 0.51}])
def test_other_bytes_are_told(tmp_path, changes):
    rows = [row("bare", 0, 1.0, weights="a"), row("ours", 0, 1.0, **changes)]
    assert summary(rows, tmp_path)["loop, 32 px"]["same_bytes"] is False


def test_val_scores_are_compared_seed_by_seed(tmp_path):
    scores = {"ours, one core": (0.7, 0.8, 0.9), "usual, one core": (0.69, 0.78, 0.87)}
    rows = [
        row(way, i, 1.0, part="decode", val_auroc=value, val_accuracy=None)
        for way, values in scores.items()
        for i, value in enumerate(values)
    ]
    tried = row("cv2, 0 worker(s), one core", 0, 4.0, part=train_rows.TRIED)
    found = summary([tried, *rows], tmp_path)
    (paired,) = found["decode, 32 px"]["differences"]
    assert paired["val_auroc"]["value"] == pytest.approx(0.02)
    assert paired["val_auroc"]["low"] == pytest.approx(
        0.02 - 0.024841, abs=1e-6
    )  # t(0.975, 2) = 4.3027
    assert paired["val_accuracy"]["value"] is None
    assert found["decode, tried, 32 px"]["ways"][tried.way]["times_of_ours"] == pytest.approx(4.0)


def test_rows_count_only_with_what_they_were_measured_with(tmp_path):
    kept = train_rows.Rows(tmp_path, {"loop": "a", "decode": "b"})
    assert not kept.has("loop")
    kept.add("loop", [row("bare", 0, 1.0)])
    kept.add("decode", [row("ours, one core", 0, 1.0, part="decode")])
    assert kept.has("loop") and kept.has("decode") and len(kept.read()) == 2
    changed = train_rows.Rows(tmp_path, {"loop": "c", "decode": "b"})
    assert changed.has("decode") and not changed.has("loop")
    changed.add("loop", [row("bare", 0, 2.0)])
    assert changed.read()["seconds"].tolist() == [1.0, 2.0]
    assert not kept.has("loop")  # what does not count any more has gone
    changed.forget(["decode"])
    assert changed.has("loop") and not changed.has("decode")


def test_a_step_that_is_done_is_not_measured_again(tmp_path, monkeypatch, capsys):
    kept, asked = train_rows.Rows(tmp_path, {"loop": "a", "views": "b"}), []

    def measured(plan, step, real):
        asked.append(step)
        yield row("bare", 0, 1.0)

    monkeypatch.setattr(train, "measured", measured)
    for _ in range(2):
        train.work(train.QUICK, ["loop", "views"], kept, None)
    assert asked == ["loop", "views"]
    assert "loop: measured before" in capsys.readouterr().out


@pytest.mark.parametrize("plan", [train.QUICK, train.FULL])
def test_plans_fit_what_they_are_given_to(plan):
    inspect.signature(train_loop.measure).bind(**plan.loop, px=1)
    inspect.signature(train_decode.measure).bind(**plan.decode, start={})
    inspect.signature(train_frozen.measure).bind(**plan.frozen)
    steps = [step for part in train.STEPS.values() for step in part]
    assert len(list(train.forecast(plan, steps))) == len(steps) == len(plan.recipes(real=True))
    assert plan.recipes(real=True)["views"] != plan.recipes(real=False)["views"]
    assert plan.recipes(real=True)["loop"] == plan.recipes(real=False)["loop"]
    assert dataclasses.replace(plan, loop_px=(7,)).recipes(real=True)["loop"] != plan.recipes(real=True)["loop"]  # fmt: skip


def test_the_code_that_is_hashed_is_there():
    assert [x for x in train.CODE if not (train.ROOT / x).exists()] == []


def test_data_that_are_not_there_are_one_clear_line(python: Python):
    done = python("-m", "tests.bench.train", env={"CXR_REAL_DATA": "/nowhere"})
    assert done.returncode == 1
    assert done.stderr.startswith("bench-train: error: CXR_REAL_DATA must name the folder")
    assert len(done.stderr.splitlines()) == 1


def test_mirrored_images_make_a_longer_epoch():
    part = bright_or_dark(5, seed=2)
    longer = train_loop.mirrored(part)
    assert isinstance(longer, loop.Part) and len(longer.images_NHW) == len(longer.labels_NL) == 10
    assert np.array_equal(longer.images_NHW[5:, :, ::-1], part.images_NHW)
