"""Workers that would give other bytes are refused before any work, by name and with the cure."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cxr import artifacts, numerics, workers
from cxr.cluster import fit
from tests.cluster import running
from tests.conftest import ROOT
from tests.test_workers import draw


@pytest.fixture
def own(
    tmp_path: Path, clean_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[running.Cluster]:
    with running.cluster(tmp_path / "cluster", clean_environment) as found:
        monkeypatch.setenv("CXR_CLUSTER", found.address)
        yield found


def _refusal() -> str:
    with pytest.raises(ValueError, match=r"^workers of the cluster are not fit to work: ") as told:
        workers.run(draw, range(3), words="drawing")
    return str(told.value)


def test_a_worker_without_pins_or_with_threads_is_refused(own: running.Cluster) -> None:
    """As Dask's own program starts it: some pins are lacking, others have other values."""
    own.work(1)
    assert workers.run(draw, range(3), words="drawing") == list(map(draw, range(3)))
    own.work_by_hand("--nthreads", "2", "--no-dashboard", "--host", "127.0.0.1")
    told = _refusal()
    assert "lacks the exact profile (ATEN_CPU_CAPABILITY, " in told
    assert "MALLOC_TRIM_THRESHOLD_" in told and "PYTHONHASHSEED" in told
    assert "has 2 threads, not 1: start its workers again with `python -m cxr.cluster" in told
    assert told.count("tcp://127.0.0.1:") == 2  # both faults are of the one worker


def test_other_code_is_refused(own: running.Cluster, tmp_path: Path) -> None:
    """A copy of the project, as another machine has it; what counts is the code that is loaded."""
    copy = tmp_path / "copy"
    for name in ("cxr", "stages", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "numerics.lock", copy / "numerics.lock")
    if (ROOT / fit.PREPARED).exists():
        shutil.copytree(ROOT / fit.PREPARED, copy / fit.PREPARED)
    changed = copy / "cxr" / "seeding.py"
    right = changed.read_text(encoding="utf-8")
    there = {"cwd": copy, "env": {"PYTHONPATH": str(copy)}}

    changed.write_text(right + "\n", encoding="utf-8")
    wrong = own.work(1, **there)  # type: ignore[arg-type]
    told = _refusal()
    assert "works by other code (" in told and f"not {fit.facts(threads=1)['code']})" in told
    assert "check out the same commit there, then start its workers again" in told
    changed.write_text(right, encoding="utf-8")
    assert _refusal() == told  # it has the other code in memory
    wrong.kill()

    own.work(1, **there)  # type: ignore[arg-type]
    for content in (right, right + "\n"):
        changed.write_text(content, encoding="utf-8")
        assert workers.run(draw, range(3), words="drawing") == list(map(draw, range(3)))


def test_a_worker_that_joins_late_is_looked_at_too(own: running.Cluster, tmp_path: Path) -> None:
    own.work(1)
    items = [(index, str(tmp_path)) for index in range(60)]
    arriving = workers.arrivals(running.draw_slowly, items, words="drawing")
    next(arriving)
    own.work_by_hand("--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1")
    with pytest.raises(ValueError, match=r"^worker tcp://127\.0\.0\.1:\d+ lacks the exact profile"):
        list(arriving)


def test_a_worker_that_does_not_see_the_data_is_refused(
    own: running.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here lie other images than in the folder where the worker runs."""
    own.work(1)
    monkeypatch.chdir(tmp_path)
    assert workers.run(draw, range(3), words="drawing") == list(map(draw, range(3)))  # none yet
    artifacts.write_text(tmp_path / "data/prepared/index.csv", "image\na\n")
    told = _refusal()
    assert "data/prepared: copy or mount it into " + str(ROOT) in told
    assert "sees other data than these" in told or "sees nothing" in told


def test_the_fingerprint_of_the_data_shows_names_sizes_and_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert fit.facts(threads=1)["prepared"] == ""
    shard = tmp_path / "data/prepared/images-0000.npy"
    artifacts.write_bytes(shard, bytes(1_000_000))
    seen = {fit.facts(threads=1)["prepared"]}
    for place in (0, 500_000, 999_999):
        artifacts.write_bytes(shard, bytes(place) + b"x" + bytes(999_999 - place))
        seen.add(fit.facts(threads=1)["prepared"])
    artifacts.write_bytes(shard, bytes(1_000_001))
    seen.add(fit.facts(threads=1)["prepared"])
    shard.rename(shard.with_name("images-0001.npy"))
    seen.add(fit.facts(threads=1)["prepared"])
    assert len(seen) == 6 and "" not in seen


def test_each_fault_is_said_with_its_cure() -> None:
    wanted = fit.facts(threads=1)
    assert fit.faults(wanted, wanted) == []
    said = {
        "lacks the exact profile (TZ)": {"unpinned": ["TZ"]},
        "has 4 threads, not 1": {"threads": 4},
        f"works by other code (abc, not {wanted['code']})": {"code": "abc"},
        f"has torch 1.0, not {wanted['versions']['torch']}: run `make setup` there": {
            "versions": {**wanted["versions"], "torch": "1.0"}
        },
        "has Python None, not 3.11": {"versions": {**wanted["versions"], "Python": None}},
    }
    for words, change in said.items():
        (fault,) = fit.faults({**wanted, **change}, wanted)
        assert fault.startswith(words)
    lacking = {**wanted, "prepared": ""}
    (fault,) = fit.faults(lacking, {**wanted, "prepared": "abc"})
    assert fault.startswith("sees nothing in data/prepared: copy or mount it into ")
    assert fit.faults({**wanted, "prepared": "abc"}, lacking) == []  # the caller has none itself


def test_all_packages_that_can_change_bytes_are_compared() -> None:
    versions = fit.facts(threads=1)["versions"]
    assert {"Python", "torch", "numpy", "opencv-python-headless"} <= set(versions)
    assert None not in versions.values()
    assert numerics.unpinned({}) == sorted(numerics.PINS)
