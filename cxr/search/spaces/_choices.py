"""What the spaces' lists of choices have in common: how they are checked, and genes made from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cxr.evolution.genes import Gene


def check(**lists: Sequence[Any]) -> None:
    """Raise ValueError for a list that is empty or holds a choice twice."""
    for name, choices in lists.items():
        if not choices:
            raise ValueError(f"{name} is empty: give at least one choice")
        if any(choice in choices[:place] for place, choice in enumerate(choices)):
            raise ValueError(f"{name} holds a choice twice: {list(choices)}")


def check_numbers(*, least: int = 1, multiple_of: int = 1, **lists: Sequence[int]) -> None:
    """Raise ValueError unless the numbers are in order, so that near genes are near numbers.

    They may ascend or descend; each is `least` or more and a multiple of `multiple_of`.
    """
    check(**lists)
    for name, numbers in lists.items():
        if list(numbers) not in (sorted(numbers), sorted(numbers, reverse=True)):
            raise ValueError(f"{name} must ascend or descend, not {list(numbers)}")
        if min(numbers) < least:
            raise ValueError(f"{name} must be at least {least}, not {list(numbers)}")
        if any(number % multiple_of for number in numbers):
            raise ValueError(f"{name} must be multiples of {multiple_of}, not {list(numbers)}")


def gene(name: str, choices: Sequence[Any], *, ordered: bool = True, group: str = "") -> Gene:
    """Return the gene of one choice among `choices`."""
    return Gene(name=name, size=len(choices), ordered=ordered, group=group)
