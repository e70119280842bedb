"""A tar archive, plain or gzipped, as an open folder.

A hard link to an earlier file of the same archive is that file under a second name (tar writes one
where two names share an inode); every other link is refused. LIMIT: a plain tar has no checksum of
its contents, so damage there is found only if the image has one (PNG).
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cxr import gunzip
from cxr.archives import _names

Index = dict[str, tuple[int, int]]
"""Each member's first byte in the unpacked archive and its size."""


HEADER_LIMIT_BYTES = 2**16
"""Of one member, with its long name and the notes of other programs; a megabyte would be an attack."""


class _Headers:
    """What tarfile reads of an archive; it would take in a header of any size that the archive tells."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._read_bytes = 0
        self.seek, self.tell = file.seek, file.tell

    def read(self, size_bytes: int) -> bytes:
        """Return the next bytes, of one member no more than the limit."""
        self._read_bytes += size_bytes
        if self._read_bytes > HEADER_LIMIT_BYTES:
            raise tarfile.ReadError(f"a header of more than {HEADER_LIMIT_BYTES} bytes")
        return self._file.read(size_bytes)

    def next_member(self) -> None:
        """Begin to count anew."""
        self._read_bytes = 0


class Tar:
    """An open tar; `index`: what an earlier pass found, so that this one needs none."""

    def __init__(self, path: Path, index: Index | None = None) -> None:
        self._path = path
        self._packed: BinaryIO = path.open("rb")
        self._file: BinaryIO = self._packed
        try:
            self._is_packed = not path.name.lower().endswith(".tar")
            if self._is_packed:
                self._file = io.BufferedReader(gunzip.Gunzip(self._packed))
            self.index: Index = {}
            if index is None:
                for _ in self._pass():
                    pass
            else:
                self.index = index
        except BaseException:
            self.close()
            raise

    def stream(self) -> Iterator[tuple[str, bytes]]:
        """Yield each member with its bytes in one pass, which makes the index; those beyond the limit are passed over."""
        for name in self._pass():
            if self.index[name][1] <= _names.MEMBER_LIMIT_BYTES:
                yield name, self.read(name)

    def _pass(self) -> Iterator[str]:
        """Go through the archive once, filling the index; yield each member while it is at hand."""
        headers = _Headers(self._file)
        with tarfile.open(fileobj=headers, mode="r:") as archive:  # type: ignore[call-overload]
            for member in archive:
                name = self._take(member)
                if name:
                    yield name
                archive.members = []  # else it keeps every header
                headers.next_member()
            end = archive.offset
        # tarfile stops without a word at a broken header; a whole archive ends with a zero block
        self._file.seek(end)
        if self._file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError(f"it breaks off at byte {end}")
        while self._is_packed and self._file.read(2**20):
            pass  # gzip's checksum stands behind the last byte

    def _take(self, member: tarfile.TarInfo) -> str:
        name = member.name.removeprefix("./")
        if member.isdir():
            return ""
        _names.check_name(name, where=str(self._path))
        _names.check_new(name, self.index, where=str(self._path))
        _names.check_count(len(self.index) + 1, where=str(self._path))
        first = member.linkname.removeprefix("./")
        if member.islnk() and first in self.index:
            self.index[name] = self.index[first]
        elif member.isreg() and member.sparse is None:
            self.index[name] = (member.offset_data, member.size)
        else:
            raise _names.Refused(f"{self._path}: the member {name!r} is a link or no plain file; put the file itself there")  # fmt: skip
        return name

    def places(self) -> dict[str, int]:
        """Return each member and where it begins."""
        return {name: start for name, (start, _) in self.index.items()}

    def read(self, name: str, *, where: str = "") -> bytes:
        """Return a member's bytes; KeyError if there is none. `where` is what errors call it."""
        start, size_bytes = self.index[name]
        _names.check_size(size_bytes, where)
        self._file.seek(start)
        content = self._file.read(size_bytes)
        if len(content) != size_bytes:
            raise EOFError("it breaks off inside this member")
        return content

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._packed.close()
