"""The ways to choose what goes from a network, in a fixed order, and how a cut made so is named.

A cut's name is `<method>_<percent>`: `uniform_50` keeps at most 50 % of the parent's MACs. `pruned_50`
is what the stage hands over: the cut that won the contest, whatever method it came from.
Nothing is imported here, so that the preflight and the report's page may know the names.
"""

from __future__ import annotations

WORDS = {
    "evolved": "Evolved",
    "uniform": "Uniform L1",
    "global": "Global L1",
    "bn_scale": "BatchNorm scale",
    "taylor": "Taylor",
    "reconstruction": "Reconstruction",
    "random": "Random",
    "sensitivity": "Sensitivity",
}
"""Method → its name for people. The order decides between equals: whoever stands first wins."""
METHODS = tuple(WORDS)
PICK = "pruned"
"""In the place of a method: the winner of the contest."""


def percent(share: float) -> int:
    """Return a share of the parent's MACs in per cent; raise ValueError unless that is a whole number."""
    found = round(share * 100)
    if not 1 <= found <= 99 or abs(share * 100 - found) > 1e-9:
        raise ValueError(
            f"the share {share:g} must be a whole number of per cent from 0.01 to 0.99: cuts are named "
            "by it, uniform_50 say"
        )
    return found


def cut(method: str, share: float) -> str:
    """Return the name of the cut that a method makes at a share of the parent's MACs."""
    assert method in (PICK, *METHODS), method
    return f"{method}_{percent(share)}"


def parse(cut: str) -> tuple[str, int]:
    """Return a cut's method and its percent; raise ValueError if the name has another form."""
    method, _, digits = cut.rpartition("_")
    plain = digits.isascii() and digits.isdigit() and str(int(digits)) == digits
    if method not in (PICK, *METHODS) or not plain or not 1 <= int(digits) <= 99:
        raise ValueError(
            f"{cut!r} is no cut: write <method>_<percent of the parent's MACs that stay>, uniform_50 "
            f"say; methods are {', '.join((PICK, *METHODS))}"
        )
    return method, int(digits)
