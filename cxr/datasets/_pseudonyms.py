"""Patients without names: a keyed hash in the place of an id, and whether a path gives a person away.

HMAC-SHA256 (RFC 2104) with a key that only the keeper of the data has: without it nobody can try
ids one by one, which a plain hash would allow; with it the same patient gets the same pseudonym in
every data set and every year. THE KEY BELONGS TO THE RESULTS: with another one, or none, they can't
be made again. It lies in no folder that git or DVC keeps.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

KEY_FILE = Path("data/private/patient.key")
VARIABLE = "CXR_PATIENT_KEY_FILE"
LEAST_BYTES = 16
LEAST_LETTERS = 4
"""Shorter names and ids stand in too many paths by chance."""

# what machines draw, and what those write who took the names out
_NO_PERSON = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32,}|\d+(\.\d+){5,}"
    r"|anon(ym(ous|i[sz]ed)?)?|de-?identified|unknown|patient|none|removed|test|name",
    re.IGNORECASE,
)


def key(root: Path) -> bytes:
    """Return the key; raise ValueError, with the cure, if there is none or it lies in the data `root`."""
    path = Path(os.environ.get(VARIABLE) or KEY_FILE)
    if root.resolve() in path.resolve().parents:
        raise ValueError(f"{path} lies among the data, which DVC keeps and passes on: put it elsewhere and name it in {VARIABLE}")  # fmt: skip
    try:
        content = path.read_bytes()
    except OSError:
        raise ValueError(
            f"{path} is missing: patients' ids are replaced by keyed hashes. Make a key with "
            "`.venv/bin/python -m flows.key`, once, and keep it as long as the results; one that "
            f"lies elsewhere is named by {VARIABLE}"
        ) from None
    if len(content) < LEAST_BYTES:
        raise ValueError(f"{path} has {len(content)} bytes, a key needs {LEAST_BYTES}: make another with `.venv/bin/python -m flows.key`")  # fmt: skip
    return content


def pseudonym(key: bytes, patient: str) -> str:
    """Return 32 hexadecimal digits for an id, spaces around it aside; empty for an empty one."""
    patient = patient.strip()
    return hmac.new(key, patient.encode(), hashlib.sha256).hexdigest()[:32] if patient else ""


def gives_away(path: str, names: Iterable[str]) -> bool:
    """Say whether a path holds one of a patient's names or ids, whatever its case, accents and separators.

    Not counted are what no person is called: UUIDs, long hexadecimal numbers, DICOM UIDs, `anonymous`.
    """
    plain = _plain(path)
    words = {_plain(name) for name in names if not _NO_PERSON.fullmatch(name.strip())}
    return any(len(word) >= LEAST_LETTERS and word in plain for word in words)


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in letters if letter.isalnum())
