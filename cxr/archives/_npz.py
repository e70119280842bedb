"""NumPy's .npz, as MedMNIST ships its sets: each row of an image array is a member of its own.

`train_images/000012` is row 12 of the uint8 array `train_images`, as the bytes of an .npy file; every
other array is one member, `train_labels.npy`. Rows are read one after the other from the packed
stream, so that an array of many gigabytes is never in memory. Nothing pickled is ever loaded.
"""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from cxr.archives import _names


class Npz:
    """An open .npz; raises ValueError for an array of Python objects."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = zipfile.ZipFile(path)
        self._rows: dict[str, tuple[int, ...]] = {}  # image arrays: name → shape
        self._whole: dict[str, str] = {}  # other arrays: member → name in the zip
        self._streams: dict[
            str, tuple[IO[bytes], int, int]
        ] = {}  # stream, its first row's byte, next row
        try:
            for member in self._file.infolist():
                self._take(member)
            rows = sum(shape[0] for shape in self._rows.values())
            _names.check_count(rows + len(self._whole), where=str(path))
        except BaseException:
            self._file.close()
            raise

    def _take(self, member: zipfile.ZipInfo) -> None:
        inside = member.filename
        _names.check_name(inside, where=str(self._path))
        name = inside.removesuffix(".npy")
        if name == inside:
            raise _names.Refused(
                f"{self._path}: the member {inside!r} is no .npy array: get the file again"
            )
        known = inside in self._whole or name in self._rows
        _names.check_new(name, (name,) if known else (), where=str(self._path))
        with self._file.open(inside) as stream:
            shape, fortran, dtype = self._header(stream)
            size_bytes = stream.tell() + math.prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise _names.Refused(
                f"{self._path}: the array {name!r} holds pickled objects, which are never loaded; "
                "get the file again"
            )
        if min(shape, default=1) < 0 or size_bytes != member.file_size:
            # whoever believed the header would make room for all that it claims
            raise zipfile.BadZipFile(
                f"{inside} has {member.file_size} bytes, {dtype} {shape} has {size_bytes}"
            )
        if dtype == np.uint8 and len(shape) >= 3 and not fortran:
            self._rows[name] = shape
        else:
            self._whole[inside] = name

    def _header(self, stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # headers of Python 2 are mended, with a warning
            return (read if version == (1, 0) else np.lib.format.read_array_header_2_0)(stream)

    def places(self) -> dict[str, int]:
        """Return each member and its place in reading order."""
        names = [
            f"{name}/{row:06d}" for name, shape in self._rows.items() for row in range(shape[0])
        ]
        return {name: place for place, name in enumerate([*names, *self._whole])}

    def read(self, name: str, *, where: str) -> bytes:
        """Return a row or an array as the bytes of an .npy file; KeyError if there is none."""
        if name in self._whole:
            size_bytes = self._file.getinfo(name).file_size
            _names.check_size(size_bytes, where)
            with self._file.open(name) as stream:
                return _names.read_whole(stream, size_bytes)
        array, _, row = name.rpartition("/")
        shape = self._rows[array]
        if not (row.isdecimal() and len(row) >= 6 and int(row) < shape[0]):
            raise KeyError(name)
        size_bytes = math.prod(shape[1:])
        _names.check_size(size_bytes, where)
        content = self._row(array, int(row), size_bytes)
        if len(content) != size_bytes:
            raise EOFError("it breaks off inside this row")
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "|u1", "fortran_order": False, "shape": shape[1:]}
        )
        return header.getvalue() + content

    def _row(self, array: str, row: int, size_bytes: int) -> bytes:
        stream, start, following = self._streams.get(array, (None, 0, 0))
        if stream is None:
            stream = self._file.open(f"{array}.npy")
            self._header(stream)
            start = stream.tell()
        if row != following:  # forward it reads on, backward it begins again
            stream.seek(start + row * size_bytes)
        self._streams[array] = (stream, start, row + 1)
        return stream.read(size_bytes)

    def close(self) -> None:
        """Close the file."""
        for stream, _, _ in self._streams.values():
            stream.close()
        self._file.close()
