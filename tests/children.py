"""The programs that this process started itself, told from those of other tests and of libraries."""

from __future__ import annotations

import psutil


def running(module: str) -> list[psutil.Process]:
    """Return this process's children that run `python -m <module>`."""
    return [child for child in psutil.Process().children() if module in _words(child)]


def _words(child: psutil.Process) -> list[str]:
    try:
        return child.cmdline()
    except psutil.NoSuchProcess:  # it has ended; nobody may have waited for it
        return []
