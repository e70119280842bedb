"""key: make the key that turns the patients of DICOM files into pseudonyms; one that is there stays.

It lies in data/private, which git and DVC leave alone. Keep a copy where you keep the data: with
another key the same patients get other pseudonyms, and no result can be made again.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

KEY = Path("data/private/patient.key")  # as cxr/datasets/_pseudonyms.py looks for it
BYTES = 32


def make(path: Path) -> bool:
    """Write random bytes that only their owner can read; tell whether there was no key before."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(number, "wb") as file:
        file.write(secrets.token_bytes(BYTES))
        os.fsync(file.fileno())
    return True


def main() -> None:
    """Make the key, or say that it is there."""
    path = Path(os.environ.get("CXR_PATIENT_KEY_FILE") or KEY)
    try:
        made = make(path)
    except OSError as error:
        print(f"error: {path}: {error.strerror}: choose another place by CXR_PATIENT_KEY_FILE", file=sys.stderr)  # fmt: skip
        sys.exit(1)
    print(f"{path}: {'made; keep a copy of it with the data' if made else 'is there already, left as it is'}")  # fmt: skip


if __name__ == "__main__":
    main()
