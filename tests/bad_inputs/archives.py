"""Archives that are broken, hostile, or merely unusual: zip, tar and npz that hold a whole set."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.bad_inputs import Bad
from tests.bad_inputs.pictures import chest, npy, patched, stored, write, zeros

Member = tuple[Any, bytes]
"""A name, ZipInfo or TarInfo, and the contents."""
AGAIN = "download or make it again"


def members() -> list[Member]:
    """Return two classes of two images."""
    names = ("normal/0", "normal/1", "pneumonia/0", "pneumonia/1")
    return [(f"{name}.png", stored(chest(i))) for i, name in enumerate(names)]


def zipped(more: Iterable[Member] = (), method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of the set and more members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in [*members(), *more]:
            archive.writestr(name, content)
    return file.getvalue()


def tarred(more: Iterable[Member] = (), kind: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a tar of the set and more members."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=kind) as archive:
        for name, content in [*members(), *more]:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def npzipped(**arrays: bytes | np.ndarray) -> bytes:
    """Return a part of pneumoniamnist with some arrays (or bytes in their place) of one's own."""
    rows = np.stack([chest(i)[:28, :28] for i in range(4)])
    held: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        held |= {
            f"{split}_images": rows,
            f"{split}_labels": np.array([[0], [1], [0], [1]], np.uint8),
        }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in (held | arrays).items():
            content = array if isinstance(array, bytes) else npy(array)
            archive.writestr(name if "." in name else f"{name}.npy", content)
    return file.getvalue()


def _bad(
    name: str,
    words: str,
    content: Callable[[], bytes],
    *,
    file: str = "set.zip",
    member: str = "",
    **more: Any,
) -> Bad:
    def make(root: Path) -> None:
        write(root / file, content())

    bad: dict[str, Any] = {"name": name, "fate": "refused", "words": words, "make": make}
    bad["file"] = f"{file}/{member}" if member else file
    bad["dataset"] = "medmnist" if file.endswith(".npz") else "folder"
    return Bad(**(bad | more))


def _link(kind: type, target: str = "normal/0.png", tar_type: bytes = b"") -> Any:
    if kind is zipfile.ZipInfo:
        info = zipfile.ZipInfo("normal/link.png")
        info.external_attr = 0o120777 << 16
        return info
    member = tarfile.TarInfo("normal/link.png")
    member.type, member.linkname = tar_type, target
    return member


def _central(offset: int, new: bytes, content: bytes | None = None) -> bytes:
    """Return a zip with bytes of the central directory's first entry changed."""
    return patched(content or zipped(), b"PK\1\2", offset, new)


def _flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0x20]) + content[place + 1 :]


def _streamed() -> bytes:
    """Return a zip as a program writes it that can't go back: sizes behind each member."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    file = Pipe()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members():
            archive.writestr(name, content)
    return file.getvalue()


def _zip64() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
    return file.getvalue()


def _sparse() -> bytes:
    """Return a tar with a member of GNU's old sparse form, the sum of its header right."""
    content = tarred([("normal/holes.png", bytes(512))], tarfile.GNU_FORMAT)
    place = content.index(b"normal/holes.png")
    head = bytearray(content[place : place + 512])
    head[156:157], head[148:156] = tarfile.GNUTYPE_SPARSE, b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return content[:place] + bytes(head) + content[place + 512 :]


def _whole_blocks(content: bytes) -> bytes:
    """Return a tar that ends behind its last member."""
    return content[: -(-len(content.rstrip(b"\0")) // 512) * 512]


def _long_header() -> bytes:
    """Return a packed tar with a name of a gigabyte of zeros."""
    info = tarfile.TarInfo("long")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**30
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT)) + gzip.compress(bytes(2**22)) * 256


def _giant_tar(root: Path) -> None:
    """Write a plain tar whose last member has eight gigabytes, a hole on the disk."""
    whole = tarred()
    info = tarfile.TarInfo("normal/giant.png")
    info.size = 2**33
    body = whole[: len(whole.rstrip(b"\0")) // 512 * 512 + 512]
    path = root / "set.tar"
    write(path, body + info.tobuf(tarfile.PAX_FORMAT))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + 2**33 + 10240)


def _lying_zip() -> bytes:
    """Return a zip whose first member claims a hundred bytes and unpacks to a gigabyte and a half."""
    raw = zeros(1536 * 2**20)[2:-4]  # a zlib stream without head and sum
    name = b"normal/0.png"
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 33, 0, len(raw), 100, len(name), 0)
    central = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 33, 0, len(raw), 100, len(name), 0, 0, 0, 0, 0, 0)  # fmt: skip
    rest = zipped()
    bomb = local + name + raw
    places = _entries(rest, len(bomb))
    directory = central + name + b"".join(places)
    end = struct.pack(
        "<4s4H2IH", b"PK\5\6", 0, 0, 4, 4, len(directory), len(bomb) + rest.index(b"PK\1\2"), 0
    )
    return bomb + rest[: rest.index(b"PK\1\2")] + directory + end


def _entries(content: bytes, shift: int) -> Iterator[bytes]:
    """Yield the central directory's entries but the first, their members so many bytes further on."""
    place = content.index(b"PK\1\2")
    for i in range(4):
        length = 46 + struct.unpack("<H", content[place + 28 : place + 30])[0]
        start = struct.unpack("<I", content[place + 42 : place + 46])[0]
        entry = (
            content[place : place + 42]
            + struct.pack("<I", start + shift)
            + content[place + 46 : place + length]
        )
        if i:
            yield entry
        place += length


def _many(count: int) -> bytes:
    """Return a zip of so many empty members."""
    return zipped((f"normal/{i}.png", b"") for i in range(2, count))


ZIPS = [
    _bad("zip with ..", r"'\.\./x\.png' is not a plain relative path; make", lambda: zipped([("../x.png", b"x")])),
    _bad("zip with an absolute name", "'/etc/x.png' is not a plain relative", lambda: zipped([("/etc/x.png", b"x")])),
    _bad("zip with a backslash", "is not a plain relative path", lambda: zipped([("normal\\x.png", b"x")])),
    _bad("zip with a line end in a name", r"'normal/a\\nb.png' is not readable .*rename", lambda: zipped([("normal/a\nb.png", b"x")])),
    _bad("zip with a name of 5,000 letters", "has 5011 letters, more than 4096; rename", lambda: zipped([("normal/" + "x" * 5000 + ".png", b"x")])),
    _bad("zip with a link", "'normal/link.png' is a link; put the file", lambda: zipped([(_link(zipfile.ZipInfo), b"/etc/passwd")])),
    _bad("zip with a member twice", "'normal/0.png' stands twice; keep one", lambda: zipped([("normal/0.png", b"x")])),
    _bad("encrypted zip", "'normal/0.png' is encrypted; make it without", lambda: _central(8, b"\1")),
    _bad("zip of bzip2", "packed by method 12, read are deflate", lambda: zipped(method=zipfile.ZIP_BZIP2)),
    _bad("zip of LZMA", "packed by method 14, read are deflate", lambda: zipped(method=zipfile.ZIP_LZMA)),
    _bad("zip of Zstandard", "packed by method 93, read are deflate", lambda: _central(10, b"\x5d\0")),
    _bad("truncated zip", f"damaged .*{AGAIN}", lambda: zipped()[:-60]),
    _bad("zero-byte zip", f"damaged .*{AGAIN}", lambda: b""),
    _bad("web page for a zip", f"damaged .not a zip.*{AGAIN}|damaged .File is not.*{AGAIN}", lambda: b"<html>Sign in</html>"),
    _bad("last of several volumes of a zip", f"damaged .*{AGAIN}", lambda: zipped()[100:], fate="noted", member="normal/0.png"),
    _bad("zip whose directory says more than is there", f"damaged .*{AGAIN}", lambda: patched(zipped(), b"PK\5\6", 12, b"\xff\xff\xff\x7f")),
    _bad("empty zip", "set.zip holds no file", lambda: b"PK\5\6" + bytes(18)),
    _bad("zip of folders only", "set.zip holds no file", lambda: _folders()),
    _bad("zip within a zip only", "has no images .*set.zip/inner.zip is an archive that is not read: unpack it", lambda: _zip_in_zip()),
    _bad("rar named zip", f"damaged .*{AGAIN}", lambda: b"Rar!\x1a\x07\x01\0" + bytes(200)),
    _bad("flipped bit in a zip's member", f"damaged .*{AGAIN}", lambda: _flipped(zipped(), 200), fate="noted", member="normal/0.png"),
    _bad("zip member that claims less than it holds", f"damaged .*{AGAIN}", lambda: _central(24, struct.pack("<I", 100)), fate="noted", member="normal/0.png"),
    _bad("zip member that claims more than it holds", f"damaged .*{AGAIN}", lambda: _central(24, struct.pack("<I", 10**6)), fate="noted", member="normal/0.png"),
    _bad("zip member larger than any X-ray", "300000000 bytes, more than the limit .*take it out", lambda: _central(24, struct.pack("<I", 300_000_000)), fate="noted", member="normal/0.png"),
    _bad("zip member that lies elsewhere", f"damaged .*{AGAIN}", lambda: _central(42, struct.pack("<I", 10**9)), fate="noted", member="normal/0.png"),
    _bad("zip member that lies where another does", f"damaged .*{AGAIN}", lambda: _central(42, struct.pack("<I", 1000)), fate="noted", member="normal/0.png"),
    _bad("zip that was streamed", "", _streamed, fate="legal", member="normal/0.png", values={"width_px": 80}),
    _bad("zip64", "", _zip64, fate="legal", member="normal/0.png", values={"width_px": 80}),
    _bad("zip with a program before it", "", lambda: b"#!/bin/sh\n" + zipped() , fate="legal", member="normal/0.png", values={"width_px": 80}),
    _bad("zip of what file managers leave", "", lambda: zipped([("__MACOSX/normal/._0.png", b"x"), ("normal/.DS_Store", b"x"), ("normal/", b"")]), fate="legal", member="normal/0.png", values={"label:normal": 1.0}),
]  # fmt: skip


def _folders() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("normal/", b"")
        archive.writestr("pneumonia/", b"")
    return file.getvalue()


def _zip_in_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("inner.zip", zipped())
    return file.getvalue()


def _tar(name: str, words: str, more: Callable[[], Iterable[Member]], **options: Any) -> Bad:
    return _bad(name, words, lambda: tarred(more()), **{"file": "set.tar", **options})


NO_FILE = "'normal/link.png' is a link or no plain file; put the file itself"
TARS = [
    _tar("tar with ..", r"'\.\./x\.png' is not a plain relative path; make", lambda: [("../x.png", b"x")]),
    _tar("tar with an absolute name", "'/etc/x.png' is not a plain relative", lambda: [("/etc/x.png", b"x")]),
    _tar("tar with a name that is no UTF-8", "is not readable UTF-8 text; rename", lambda: [("normal/\udcff.png", b"x")]),
    _tar("tar with a symbolic link", NO_FILE, lambda: [(_link(tarfile.TarInfo, tar_type=tarfile.SYMTYPE), b"")]),
    _tar("tar with a hard link to what follows", NO_FILE, lambda: [(_link(tarfile.TarInfo, "normal/z.png", tarfile.LNKTYPE), b""), ("normal/z.png", b"x")]),
    _tar("tar with a hard link outside", NO_FILE, lambda: [(_link(tarfile.TarInfo, "../../etc/passwd", tarfile.LNKTYPE), b"")]),
    _tar("tar with a device", NO_FILE, lambda: [(_link(tarfile.TarInfo, "", tarfile.CHRTYPE), b"")]),
    _tar("tar with a pipe", NO_FILE, lambda: [(_link(tarfile.TarInfo, "", tarfile.FIFOTYPE), b"")]),
    _tar("tar with a member twice", "'normal/0.png' stands twice; keep one", lambda: [("./normal/0.png", b"x")]),
    _bad("tar with a sparse member", "no plain file; put the file itself", _sparse, file="set.tar"),
    _bad("truncated tar", f"damaged .*{AGAIN}", lambda: tarred()[:3000], file="set.tar"),
    _bad("tar that ends at a header", f"damaged .it breaks off at byte.*{AGAIN}", lambda: _whole_blocks(tarred()), file="set.tar"),
    _bad("tar with a broken header", f"damaged .*{AGAIN}", lambda: _flipped(tarred(), 100), file="set.tar"),
    _bad("zero-byte tar", f"damaged .*{AGAIN}", lambda: b"", file="set.tar"),
    _bad("zip named tar", f"damaged .*{AGAIN}", lambda: zipped(), file="set.tar"),
    _bad("tar of nothing", "set.tar holds no file", lambda: bytes(10240), file="set.tar"),
    _bad("truncated tar.gz", f"damaged .*{AGAIN}", lambda: gzip.compress(tarred())[:-30], file="set.tar.gz"),
    _bad("tar.gz with rubbish behind it", f"damaged .*incorrect header.*{AGAIN}", lambda: gzip.compress(tarred()) + b"rubbish", file="set.tar.gz"),
    _bad("tar.gz with a wrong checksum", f"damaged .*incorrect data check.*{AGAIN}", lambda: _flipped(gzip.compress(tarred()), -6), file="set.tar.gz"),
    _bad("plain tar named tar.gz", f"damaged .*{AGAIN}", lambda: tarred(), file="set.tar.gz"),
    _tar("tar with a hard link to what it holds", "", lambda: [(_link(tarfile.TarInfo, "normal/0.png", tarfile.LNKTYPE), b"")], fate="legal", member="normal/link.png", values={"width_px": 80}),
    _bad("tar.gz in two pieces with zeros behind", "", lambda: gzip.compress(tarred()[:2000]) + gzip.compress(tarred()[2000:]) + bytes(512), fate="legal", file="set.tar.gz", member="normal/0.png", values={"width_px": 80}),
    _tar("tar with a long name", "", lambda: [(f"normal/{'x' * 300}.png", stored(chest(5)))], fate="legal", member=f"normal/{'x' * 300}.png", values={"width_px": 80}),
]  # fmt: skip

NPZ = "pneumoniamnist_part.npz"
NPZS = [
    _bad("npz that claims a terabyte", f"damaged .train_images.npy has .*{AGAIN}", lambda: npzipped(train_images=npy(np.zeros((4, 28, 28), np.uint8), shape=(10**9, 28, 28))), file=NPZ),
    _bad("npz of pickled objects", "'train_labels' holds pickled objects, which are never loaded; get", lambda: npzipped(train_labels=np.array([{}, {}], dtype=object)), file=NPZ),
    _bad("npz with a text in it", "'readme.txt' is no .npy array: get", lambda: npzipped(**{"readme.txt": b"x"}), file=NPZ),
    _bad("npz with fewer rows than none", f"damaged .*{AGAIN}", lambda: npzipped(train_images=npy(np.zeros((4, 28, 28), np.uint8), shape=(-4, 28, 28))), file=NPZ),
    _bad("npz of another shape", "shape .30, 30., expected .28, 28..*get one file", lambda: npzipped(train_images=np.zeros((4, 30, 30), np.uint8)), file=NPZ),
    _bad("npz of fractions", "has no array train_images of uint8 .*get one file", lambda: npzipped(train_images=np.zeros((4, 28, 28))), file=NPZ),
    _bad("npz without labels", "train_labels.npy.*(get|download)", lambda: npzipped(train_labels=np.zeros((3, 1), np.uint8)), file=NPZ),
    _bad("npz with a label of no class", r"1 faulty row: row 2: \[7\] is no label, expected 0 to 1.*get one file", lambda: npzipped(train_labels=np.array([[0], [1], [7], [0]], np.uint8)), file=NPZ),
    _bad("npz with a header of Python 2", f"damaged .*{AGAIN}", lambda: npzipped(train_labels=npy(np.zeros((4, 1), np.uint8)).replace(b"(4, 1)", b"(4L,1)")), file=NPZ),
    _bad("npz with a header that is no header", f"damaged .*{AGAIN}", lambda: npzipped(train_labels=b"\x93NUMPY\1\0\4\0((((")  , file=NPZ),
    _bad("truncated npz", f"damaged .*{AGAIN}", lambda: npzipped()[:-99], file=NPZ),
    _bad("npz under another name", "the name must be <set>.npz", npzipped, file="lungs.npz"),
    _bad("npz of another count", "officially they are 4708 train.*a part is used under the name", npzipped, file="pneumoniamnist.npz"),
]  # fmt: skip

HEAVY = [
    _bad("zip member that unpacks to far more than it claims", "damaged", _lying_zip, fate="noted", member="normal/0.png", heavy=True, slow=True),
    _bad("zip of 600,000 members", "has more than 500000 members: .*take it out", lambda: _many(600_000), heavy=True, slow=True),
    _bad("tar.gz with a name of a gigabyte", f"damaged .a header of more than 65536 bytes.*{AGAIN}", _long_header, file="set.tar.gz", heavy=True),
    _bad("tar.gz of zeros without end", "set.tar.gz holds no file: .*take it out", lambda: gzip.compress(bytes(2**22)) * 500, file="set.tar.gz", heavy=True, slow=True),
    Bad(name="tar member of eight gigabytes", dataset="folder", make=_giant_tar, file="set.tar/normal/giant.png", fate="noted", words="has 8589934592 bytes, more than the limit .*take it out", heavy=True),
]  # fmt: skip

ALL = [*ZIPS, *TARS, *NPZS, *HEAVY]
