"""The schedule: up in a line, down in a cosine."""

import pytest

from cxr.training.schedules import warmup_cosine


def test_warmup_climbs_in_equal_steps_to_one():
    factors = [warmup_cosine(step, steps=20, warmup=4) for step in range(5)]
    assert factors == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])


def test_cosine_is_half_way_down_in_the_middle_and_near_zero_at_the_end():
    assert warmup_cosine(12, steps=20, warmup=4) == pytest.approx(0.5)
    assert 0 < warmup_cosine(19, steps=20, warmup=4) < 0.01
