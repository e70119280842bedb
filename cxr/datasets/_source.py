"""Source: where a public data set comes from and how to get it, one record per reader."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a reader in this folder knows about its data set before it has seen a file of it."""

    title: str
    """The data set's name as its authors write it."""
    url: str
    """Where it is published; empty if it is made by code."""
    citation: str
    """How its authors ask to be cited."""
    licence: str
    """SPDX identifier, or the terms in a few words."""
    redistributable: bool
    """Whether the pixels may be passed on."""
    images: dict[str, int]
    """Number of images per class as published; empty if it depends on the copy."""
    sha256: dict[str, str]
    """Hash of each file as published; empty if there is no fixed file."""
    hint: str
    """How to get it, one sentence for an error message."""
