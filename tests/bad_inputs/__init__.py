"""Bad inputs, each made by code into a small data set that is otherwise whole, and what must come of it.

One list, `catalogue.ALL`, of everything that is known to go wrong with images, archives, tables,
names and DICOM files; test_catalogue.py runs the real stages on each, test_memory.py the heavy ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Bad:
    """A bad input and its fate."""

    name: str
    dataset: str
    """the reader"""
    make: Callable[[Path], object]
    """writes the data set into its folder, which is there"""
    file: str
    """which file is bad, below that folder"""
    fate: Literal["refused", "noted", "found", "legal"]
    """ingest refuses the set, notes the fault in the image's row, validate finds it, or nothing is wrong"""
    words: str = ""
    """regular expression of what is said; of `found`, the finding's name"""
    values: Mapping[str, Any] = field(default_factory=dict)
    """of `legal`: columns of the image's row in the manifest"""
    gaps: int = 0
    """how many gaps are reported"""
    heavy: bool = False
    """measured alone, by test_memory.py"""
    slow: bool = False
    """and that takes seconds"""
