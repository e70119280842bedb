"""New images of patients, or copies of X-rays, that stand in a part which nothing new enters.

The parts are `split.frozen` of the division that `split.assignments` names: mostly test. That
patients come again is no fault, so it is a warning; what would leak is arrival_leaks's.
"""

from __future__ import annotations

import pandas as pd

from cxr.checks import _arrival

SEVERITY = "warning"
NEEDS = ("arrival", "pairs")
MEANING = "The newest arrival shows patients or X-rays of a frozen part, such as test."
CURE = "Nothing must be done, split leaves these images out; reports/split/plots/bridging.csv has them."


def find(
    manifest: pd.DataFrame, *, arrival: _arrival.Arrival | None, pairs: pd.DataFrame
) -> pd.DataFrame:
    """Return the new images that split leaves out for it, and what links them."""
    known = _arrival.known(manifest, pairs, arrival)
    rows = [(new.image, new.why) for new in known if new.is_left_out]
    return pd.DataFrame(rows, columns=["image", "detail"], dtype=object)
