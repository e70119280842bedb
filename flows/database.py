"""database: where the server of `make serve` keeps what it knows: an SQLite file, or a PostgreSQL that is there.

A PostgreSQL is named by an address, `postgresql+asyncpg://user:password@host:5432/name`, in `.serve/database`,
which only its owner may read, or in one of Prefect's own variables. The server alone gets it: no worker
and no run does. Nothing here says the password, in errors either.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

FILE = "database"
VARIABLES = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL")
SCHEME = "postgresql+asyncpg"
_OTHERS = 0o077


def address(folder: Path, given: Mapping[str, str] = os.environ) -> str | None:
    """Return the address of the PostgreSQL to use, the environment's before the file's; None is SQLite.

    Raises ValueError for what is no such address, and for a file that others may read.
    """
    for name in VARIABLES:
        if given.get(name):
            return _checked(given[name], name)
    path = folder / FILE
    if not path.exists():
        return None
    where = f"{folder.name}/{FILE}"
    if stat.S_IMODE(path.stat().st_mode) & _OTHERS:
        raise ValueError(f"{where} holds a password that others may read: chmod 600 {where}")
    return _checked(path.read_text(encoding="utf-8"), where)


def _checked(text: str, where: str) -> str:
    """Return an address without the spaces around it."""
    text = text.strip()
    try:
        parts = urlsplit(text)
        whole = parts.scheme == SCHEME and parts.hostname and parts.path.strip("/")
        _port(parts)
    except ValueError:  # its words may hold the password
        whole = None
    if not whole or len(text.split()) != 1:
        raise ValueError(
            f"{where} must be one address {SCHEME}://user:password@host:5432/name "
            "(a character other than letters and digits in the password as %xx); "
            "for SQLite, which needs none, take it away"
        )
    return text


def shown(address: str | None) -> str:
    """Return which database that is, without its password."""
    if address is None:
        return "SQLite"
    parts = urlsplit(address)
    who = f"{parts.username}@" if parts.username else ""
    return f"PostgreSQL at {who}{parts.hostname}:{_port(parts)}{parts.path}"


def _port(parts: SplitResult) -> int:
    return parts.port or 5432


def environment(address: str | None) -> dict[str, str]:
    """Return what tells the server, and it alone."""
    return {} if address is None else {VARIABLES[0]: address}
