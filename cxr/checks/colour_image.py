"""Images stored in colour: screenshots, photographs of films, or pictures with coloured marks."""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings, _many

SEVERITY = "info"
MEANING = "The file holds colour; it is read as grey."
CURE = "Nothing must be done; look at some of them for coloured marks or text."


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the images with more than one channel, and how many; a set that is mostly so, once."""
    colour = manifest[manifest["channels"] > 1]
    words = _findings.worded(colour["channels"], "{:.0f} channels")
    return _many.gathered(manifest, colour, words)
