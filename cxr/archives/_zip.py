"""A zip archive as an open folder."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

from cxr.archives import _names

PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Zip:
    """An open zip; raises ValueError for a member that is no plain file of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = zipfile.ZipFile(path)
        self._members: dict[str, zipfile.ZipInfo] = {}
        try:
            _names.check_count(len(self._file.infolist()), where=str(path))
            for member in self._file.infolist():
                self._take(member)
        except BaseException:
            self._file.close()
            raise

    def _take(self, member: zipfile.ZipInfo) -> None:
        name = member.filename
        _names.check_name(name.removesuffix("/"), where=str(self._path))
        if member.is_dir():
            return
        if stat.S_ISLNK(member.external_attr >> 16):
            raise _names.Refused(
                f"{self._path}: the member {name!r} is a link; put the file itself there"
            )
        if member.flag_bits & 1:
            raise _names.Refused(
                f"{self._path}: the member {name!r} is encrypted; make it without a password"
            )
        if member.compress_type not in PACKED:
            # Python unpacks all others at once, whatever size they come to
            raise _names.Refused(
                f"{self._path}: the member {name!r} is packed by method {member.compress_type}, read "
                "are deflate and stored; pack it again with `zip`"
            )
        _names.check_new(name, self._members, where=str(self._path))
        self._members[name] = member

    def places(self) -> dict[str, int]:
        """Return each member and where it begins."""
        return {name: member.header_offset for name, member in self._members.items()}

    def read(self, name: str, *, where: str) -> bytes:
        """Return a member's bytes; KeyError if there is none. `where` is what errors call it."""
        member = self._members[name]
        _names.check_size(member.file_size, where)
        with self._file.open(member) as stream:
            return _names.read_whole(stream, member.file_size)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
