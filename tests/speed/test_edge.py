"""Within one core and 512 MB: who answers, with what memory, and who does not."""

from __future__ import annotations

import pytest

from cxr.speed import cgroup, edge, turns
from tests.speed import exported


@pytest.fixture(scope="module")
def expected(toy) -> dict[str, list[list[float]]]:
    one = exported.contender(toy, batch=4)
    with turns.process(one, toy / "images.npy", exported.NO_LIBRARY) as process:
        return {"toy": process.ready["output"]}


def attempt(toy, expected, **changes):
    one = exported.contender(toy, batch=1, **changes)
    return edge.try_all([one], toy / "images.npy", exported.NO_LIBRARY, expected=expected)


def test_the_small_model_answers(toy, expected):
    found = attempt(toy, expected)
    (row,) = found["rows"]
    assert row["answers"] and row["difference"] < 1e-6
    assert 0 < row["quartiles_ms"][0] <= row["quartiles_ms"][2]
    assert 20e6 < row["peak_bytes"] < found["memory_bytes"] == 512 * 2**20
    assert "output" not in row


def test_one_that_needs_more_memory_is_killed_and_told(toy, expected, monkeypatch):
    monkeypatch.setattr(edge, "MEMORY_BYTES", 24 << 20)
    found = attempt(toy, expected)
    if "NO CONTROL GROUP" in found["bounds"]:
        pytest.skip(f"NOT TESTED: {found['bounds']}")
    (row,) = found["rows"]
    assert not row["answers"] and row["why"] == "out of memory"
    assert row["charged_bytes"] <= 24 << 20


def test_a_damaged_file_is_no_lack_of_memory(toy, expected, tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    (row,) = attempt(toy, expected, file=tmp_path / "broken.onnx")["rows"]
    assert not row["answers"] and "broken.onnx" in row["why"]


def test_without_a_control_group_it_says_so_loudly(toy, expected, monkeypatch):
    def none(**limits):
        raise cgroup.Unavailable("nobody may")

    monkeypatch.setattr(cgroup, "box", none)
    monkeypatch.setattr(edge, "MEMORY_BYTES", 8 << 30)  # address space is more than memory
    found = attempt(toy, expected)
    assert found["bounds"].startswith("NO CONTROL GROUP (nobody may): ")
    (row,) = found["rows"]
    assert row["answers"] and "charged_bytes" not in row


def test_without_a_control_group_the_address_space_is_bound(toy, expected, monkeypatch):
    def none(**limits):
        raise cgroup.Unavailable("nobody may")

    monkeypatch.setattr(cgroup, "box", none)
    monkeypatch.setattr(edge, "MEMORY_BYTES", 64 << 20)
    (row,) = attempt(toy, expected)["rows"]
    assert not row["answers"]
