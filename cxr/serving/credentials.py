"""Who may call: tokens where the service is open to a network, names and origins everywhere.

On loopback whoever uses this machine may ask, but not every page that this machine's browser shows:
a page elsewhere may send its own name here (DNS rebinding), so a Host that is neither an IP address
nor a name we know is refused, and so is an Origin other than our own. The service sends no CORS
header, so that no other page reads an answer.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

VARIABLE = "CXR_SERVE_TOKEN"
SHORTEST = 20
_OTHERS_MAY_READ = stat.S_IRWXG | stat.S_IRWXO


def is_loopback(host: str) -> bool:
    """Say whether what listens on `host` can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def token(host: str, file: Path | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the token that callers must show; None on loopback where none is given.

    Raises ValueError where one is needed and there is none, or it is too short, or others can read it.
    """
    found = _of_file(file) if file else environment.get(VARIABLE, "").strip()
    where = str(file) if file else VARIABLE
    if not found and (file or not is_loopback(host)):
        reason = f"{file} holds none" if file else f"{host} can be reached from other machines"
        raise ValueError(
            f"a token is needed: {reason}. Put one into {where} "
            f'(python -c "import secrets; print(secrets.token_urlsafe())"), or serve on 127.0.0.1'
        )
    if found and (len(found) < SHORTEST or not found.isascii() or not found.isprintable()):
        raise ValueError(
            f"the token in {where} must have at least {SHORTEST} printable ASCII characters"
        )
    return found or None


def _of_file(file: Path) -> str:
    try:
        mode, text = file.stat().st_mode, file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the token can't be read from {file}: {error}") from None
    if mode & _OTHERS_MAY_READ:
        raise ValueError(f"{file} can be read by others: chmod 600 {file}")
    return text.partition("\n")[0].strip()


def shows(header: str, wanted: str) -> bool:
    """Say whether an Authorization header shows the token; takes as long whether it does or not."""
    scheme, _, given = header.partition(" ")
    same = hmac.compare_digest(given.strip().encode(), wanted.encode())
    return scheme.lower() == "bearer" and same


def is_known(host_header: str, names: Sequence[str]) -> bool:
    """Say whether a Host header is an IP address, localhost or one of the names.

    A page elsewhere that means to be taken for ours needs a name of its own; it has no address of ours.
    """
    try:
        found = urlsplit(f"//{host_header}").hostname or ""
    except ValueError:  # brackets that do not close
        return False
    if found in ("localhost", *(name.lower() for name in names)):
        return True
    try:
        ipaddress.ip_address(found)
    except ValueError:
        return False
    return True


def is_own(origin: str, host_header: str) -> bool:
    """Say whether an Origin header (empty: none was sent) is of the page that we serve ourselves."""
    return not origin or origin.lower().partition("://")[2] == host_header.lower()
