"""What a data set's tables and its files don't have in common."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import pandas as pd

from cxr import archives, images


def between(
    listed: pd.DataFrame, members: Sequence[str], reader: ModuleType
) -> tuple[list[str], list[str]]:
    """Return the rows without a file, and the files without a row; each sorted.

    Of the files count images, and archives that nobody looks into, unless the reader says that they
    are aside on purpose (`aside(member)`, or `attrs["aside"]` of its table).
    """
    absent = sorted(set(listed["image"]).difference(members))
    aside = getattr(reader, "aside", lambda member: False)
    rest = set(members).difference(listed["image"], listed.attrs.get("aside", ()))
    seen = (name for name in rest if images.is_image(name) or archives.is_unread(name))
    return absent, sorted(name for name in seen if not aside(name))
