"""What a search looks like: what was tried, how fast, what it is worth when trained anew, the winner.

Each function takes tables (see `cxr.search.candidates`) and returns a matplotlib figure in the house
style. Methods differ in marker, filling and line style too: colour alone never tells them apart.
"""

from cxr.search.figures.finals import finalists
from cxr.search.figures.network import winner
from cxr.search.figures.paths import progress
from cxr.search.figures.tries import front

__all__ = ["finalists", "front", "progress", "winner"]
