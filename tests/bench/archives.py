"""A data set of ChestX-ray14's size from 200 phantoms: its real tables, its twelve archives, more in a thirteenth.

Every name of `Data_Entry_2017_v2020.csv` gets an entry in images_001.tar to images_012.tar, in the
table's order. By default the entries behind an archive's first 200 are hard links to those (tar's
LNKTYPE): a whole set takes 1 GB. With copies every entry is a file of its own, with a note of its
name in the PNG, so that no two files have the same hash: 0.45 MB an image.
"""

from __future__ import annotations

import gzip
import io
import shutil
import struct
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path

ARCHIVES = 12
TABLE = "Data_Entry_2017_v2020.csv.gz"
LISTS = ("train_val_list.txt", "test_list.txt")
_END = 12  # bytes of PNG's last chunk


def make(
    folder: Path, labels: Path, pictures: Sequence[Path], *, share: float, copies: bool
) -> None:
    """Write the archives that `folder` lacks, and its tables; `share` of each archive's names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (TABLE, *LISTS):
        if not (labels / name).is_file():
            raise ValueError(
                f"{labels / name} is missing: give the folder of the real label tables"
            )
        shutil.copyfile(labels / name, folder / name)
    names = [row.partition(",")[0] for row in _rows(folder / TABLE)[1:]]
    length = -(-len(names) // ARCHIVES)
    for number in range(ARCHIVES):
        block = names[number * length : (number + 1) * length]
        block = block[: round(share * len(block))]
        write(folder / f"images_{number + 1:03d}.tar", block, pictures, copies=copies)


def grow(
    folder: Path, original: Path, pictures: Sequence[Path], *, share: float, copies: bool
) -> None:
    """Write into `folder` a thirteenth archive with `share` more images, and the tables with their rows.

    The new images are of new patients, one each, and stand in the train_val list.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = _rows(original / TABLE)
    count = round(share * sum(len(members(path)) for path in sorted(original.glob("images_*.tar"))))
    last = max(int(row[:8]) for row in rows[1:])
    names = [f"{last + 1 + i:08d}_000.png" for i in range(count)]
    # a new row is an old one under a new name: name, findings, follow-up, patient, ...
    added = []
    for i, name in enumerate(names):
        cells = rows[1 + i * (len(rows) - 1) // count].split(",")
        added.append(",".join([name, cells[1], "0", str(last + 1 + i), *cells[4:]]))
    text = "\n".join([*rows, *added]) + "\n"
    (folder / TABLE).write_bytes(gzip.compress(text.encode(), mtime=0))
    listed = (original / LISTS[0]).read_text().split()
    (folder / LISTS[0]).write_text("\n".join([*listed, *names]) + "\n")
    shutil.copyfile(original / LISTS[1], folder / LISTS[1])
    write(folder / f"images_{ARCHIVES + 1:03d}.tar", names, pictures, copies=copies)


def write(path: Path, names: Sequence[str], pictures: Sequence[Path], *, copies: bool) -> None:
    """Write one archive whole, unless it is there: the names in turn show the pictures."""
    if path.exists():
        return
    contents = [picture.read_bytes() for picture in pictures]
    partial = path.with_name(f".{path.name}.partial")
    with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as archive:
        for i, name in enumerate(names):
            entry = tarfile.TarInfo(f"images/{name}")
            entry.mode = 0o644
            if copies or i < len(contents):
                content = noted(contents[i % len(contents)], name) if copies else contents[i]
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            else:
                entry.type = tarfile.LNKTYPE
                entry.linkname = f"images/{names[i % len(contents)]}"
                archive.addfile(entry)
    partial.replace(path)


def noted(content: bytes, note: str) -> bytes:
    """Return a PNG with a text chunk before its end: same pixels, another file."""
    text = b"tEXtComment\0" + note.encode("latin-1")
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return content[:-_END] + chunk + content[-_END:]


def members(path: Path) -> list[tuple[int, int]]:
    """Return where each member of a tar lies, (offset, bytes), hard links where they lead."""
    with tarfile.open(path, "r:") as archive:
        found: dict[str, tuple[int, int]] = {}
        for entry in archive:
            own = (entry.offset_data, entry.size)
            found[entry.name] = found[entry.linkname] if entry.islnk() else own
    return list(found.values())


def _rows(table: Path) -> list[str]:
    return gzip.decompress(table.read_bytes()).decode().splitlines()
