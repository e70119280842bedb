"""Turns: every contender is timed in every round, the order turns, and one that fails says why."""

from __future__ import annotations

import itertools
import os

import pytest

from cxr import numerics
from cxr.speed import turns
from cxr.speed.turns import Failed, Measured
from tests.speed import exported


def measured(toy, *turns_ms: list[float]) -> Measured:
    return Measured(contender=exported.contender(toy), ready={}, turns_ms=[*turns_ms], peak_bytes=1)


def test_contenders_are_timed_side_by_side(toy):
    asked = [exported.contender(toy, batch=batch) for batch in (1, 4)]
    found = turns.side_by_side(
        asked, toy / "images.npy", exported.NO_LIBRARY, rounds=4, seconds=0.02, words="test"
    )
    assert [one.contender for one in found] == asked
    for one in found:
        assert len(one.turns_ms) == len(one.processor_ms) == 4
        assert len({len(turn) for turn in one.turns_ms}) == 1  # as many runs in each turn
        low, middle, high = one.quartiles_ms()
        assert 0 < low <= middle <= high < 1e4
        assert one.peak_bytes >= one.ready["imports_bytes"]
        assert len(one.ready["output"]) == one.contender.batch


def test_no_process_is_left(toy):
    with turns.process(exported.contender(toy), toy / "images.npy", exported.NO_LIBRARY) as one:
        pid = one._process.pid
        assert len(one.turn(2)["seconds"]) == 2
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_each_comes_first_and_none_always_follows_the_same():
    orders = [turns.order(4, number) for number in range(8)]
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert {order[0] for order in orders} == {0, 1, 2, 3}
    before = {(a, b) for order in orders for a, b in itertools.pairwise(order)}
    assert all(len([a for a, b in before if b == place]) == 2 for place in range(4))


def test_quartiles_are_over_all_runs(toy):
    assert measured(toy, [1.0, 2.0], [3.0, 4.0, 5.0]).quartiles_ms() == [2.0, 3.0, 4.0]


def test_how_many_times_faster_is_told_turn_by_turn(toy):
    slow, fast = measured(toy, [4.0], [40.0], [6.0]), measured(toy, [2.0], [10.0], [2.0])
    assert turns.times_faster(slow, fast) == [2.5, 3.0, 3.5]  # 2, 4 and 3 times
    assert turns.times_faster(fast, fast) == [1.0, 1.0, 1.0]


def test_a_user_has_no_pins_and_the_product_has_all(monkeypatch):
    assert numerics.unpinned(os.environ) == []
    assert not set(numerics.PINS) & set(turns.environment(exact=False))
    assert numerics.unpinned(turns.environment(exact=True)) == []
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert turns.environment(exact=False)["PYTHONPATH"] == f"{turns.ROOT}{os.pathsep}elsewhere"


def test_a_damaged_file_fails_by_name(toy, tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    broken = exported.contender(toy, file=tmp_path / "broken.onnx")
    with pytest.raises(
        Failed, match=r"toy, onnxruntime, float32, batch 2, 1 thread\(s\): .*broken.onnx"
    ):
        turns.Process(broken, toy / "images.npy", exported.NO_LIBRARY)


def test_one_that_is_killed_is_told(toy):
    with turns.process(exported.contender(toy), toy / "images.npy", exported.NO_LIBRARY) as one:
        one._process.kill()
        with pytest.raises(Failed, match="killed") as caught:
            one.turn(3)
    assert caught.value.code == -9


def test_what_enters_does_so_before_python_starts(toy, tmp_path):
    place = tmp_path / "pid"
    with turns.process(
        exported.contender(toy), toy / "images.npy", exported.NO_LIBRARY,
        enter=lambda: place.write_text(str(os.getpid())) and None,
    ) as one:  # fmt: skip
        assert int(place.read_text()) == one._process.pid
