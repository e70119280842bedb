"""The schedule: up in a line, down in a cosine."""

import pytest

from cxr.training.schedules import Length, length, warmup_cosine
from tests.training.recipes import tiny


def test_warmup_climbs_in_equal_steps_to_one():
    factors = [warmup_cosine(step, steps=20, warmup=4) for step in range(5)]
    assert factors == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])


def test_cosine_is_half_way_down_in_the_middle_and_near_zero_at_the_end():
    assert warmup_cosine(12, steps=20, warmup=4) == pytest.approx(0.5)
    assert 0 < warmup_cosine(19, steps=20, warmup=4) < 0.01


def test_a_length_is_of_whole_epochs_or_of_exactly_so_many_steps():
    assert length(tiny(), 67, None) == Length(steps=16, epoch=8, warmup=4)
    assert length(tiny(), 67, 13) == Length(steps=13, epoch=8, warmup=2)
    assert length(tiny(), 67, 13).epochs == 2
    with pytest.raises(ValueError, match="at least 1 step, not 0"):
        length(tiny(), 67, 0)
