"""What every kind of archive refuses: names that are no plain relative path, members beyond any X-ray."""

from __future__ import annotations

import contextlib
import errno
import io
import lzma
import struct
import tarfile
import tokenize
import zipfile
import zlib
from collections.abc import Container, Iterator
from pathlib import Path
from typing import IO

MEMBER_LIMIT_BYTES = 256 * 2**20
"""A film of 64 million pixels of 16 bits has half of it; what is larger still is no image."""
MOST_MEMBERS = 500_000
"""Of one archive: MIMIC-CXR, the largest set of chest X-rays, has 377,110 images."""
LONGEST_NAME = 4096
"""Letters: no file system takes a longer path."""

AGAIN = "download or make it again"
_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, NotImplementedError,
    ValueError, RuntimeError, OverflowError, SyntaxError, TypeError, IndexError, struct.error,
    tokenize.TokenError, UserWarning,
)  # fmt: skip
"""What a broken archive makes Python's readers raise."""


class Refused(ValueError):
    """What an archive holds is not taken; the words name the archive and the cure."""


@contextlib.contextmanager
def named(path: Path, inside: str = "") -> Iterator[None]:
    """Let every error name the archive at `path`: damage as a ValueError with its cure, the disk's as it is."""
    where = f"{path}/{inside}" if inside else str(path)
    try:
        yield
    except Refused:
        raise
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # what a seek to nowhere raises
            error.filename = error.filename or where
            raise
        raise ValueError(f"{where} is damaged ({error.strerror or error}): {AGAIN}") from None
    except _DAMAGE as error:
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"{where} is damaged ({words}): {AGAIN}") from None


def check_name(name: str, *, where: str) -> None:
    """Refuse a member whose name is no plain relative path with `/`."""
    shown = repr(name) if len(name) <= 200 else f"{name[:100]!r}…{name[-20:]!r}"
    if len(name) > LONGEST_NAME:
        raise Refused(
            f"{where}: the name {shown} has {len(name)} letters, more than {LONGEST_NAME}; rename the file"
        )
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or "" in parts:
        raise Refused(
            f"{where}: the member {shown} is not a plain relative path; make the archive again"
        )
    if any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in name):
        raise Refused(f"{where}: the name {shown} is not readable UTF-8 text; rename the file")


def check_size(size_bytes: int, name: str) -> None:
    """Refuse a member that is larger than any X-ray."""
    if size_bytes > MEMBER_LIMIT_BYTES:
        raise Refused(
            f"{name} has {size_bytes} bytes, more than the limit of {MEMBER_LIMIT_BYTES}: "
            "no X-ray is that large; take it out"
        )


def check_new(name: str, known: Container[str], *, where: str) -> None:
    """Refuse a name that the archive already has."""
    if name in known:
        raise Refused(f"{where}: the member {name!r} stands twice; keep one of them")


def check_count(count: int, *, where: str) -> None:
    """Refuse an archive of more members than any set of X-rays has."""
    if count > MOST_MEMBERS:
        raise Refused(
            f"{where} has more than {MOST_MEMBERS} members: no set of X-rays has that many; take it out"
        )


def read_whole(stream: IO[bytes], size_bytes: int) -> bytes:
    """Return the `size_bytes` bytes of a packed member, which never fill the memory twice, nor more than it tells."""
    content = io.BytesIO()
    while content.tell() < size_bytes:
        piece = stream.read(min(2**20, size_bytes - content.tell()))
        if not piece:
            raise EOFError("it breaks off inside this member")
        content.write(piece)
    return content.getvalue()
