"""A file's picture as the network learned to see it: the pipeline's own preprocessing, no network needed.

S is the side of a prepared picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cxr import images
from cxr.answering import files
from cxr.preprocessing import _chain


class Preparation:
    """The preprocessing that an exported model names."""

    def __init__(self, about: Mapping[str, Any], *, where: str) -> None:
        self.size_px: int = about["size_px"]
        self._steps = _chain.build(about["preprocessing"], where=f"{where}: preprocessing")

    def prepare(self, content: bytes, name: str) -> np.ndarray:
        """Return uint8 (S, S), the picture in a file's content.

        Raises ValueError that names the file if it can't be read whole and for certain.
        """
        image = _chain.apply(images.decode(content, name=name).grey, self._steps)
        if image.shape != (self.size_px, self.size_px):
            raise ValueError(
                f"{name} came out as {image.shape}, the network takes {self.size_px} px: the model's "
                "preprocessing and size_px don't fit"
            )
        return image


def open_preparation(path: Path) -> Preparation:
    """Open what `open_model` opens, raise what it raises, and load no network."""
    return Preparation(files.read(path).about, where=str(path))
