"""decoder: a process that turns uploaded files into a model's pictures, one after the other.

`python -m cxr.serving.decoder <model folder> <MiB>`, started by `decoding`. Over stdin comes the
length of a file (8 bytes, big end first) and the file, over stdout goes a letter, the length of what
follows and that: `P` the picture's bytes, `R` words why it is refused, `M` words, it takes too much
memory. The first message is `P` with nothing: ready. Plain bytes alone cross, so that a file which takes
the decoder over can tell the service nothing but a wrong picture. The process may take so much more
memory, can write no file, and ends when stdin does.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from cxr.answering import Preparation

PICTURE, REFUSED, MEMORY = b"P", b"R", b"M"
LENGTH_BYTES = 8
NAME = "the picture"
"""What words call it: a file's own name may be a patient's."""


def message(letter: bytes, content: bytes) -> bytes:
    """Return an answer as it crosses."""
    return letter + len(content).to_bytes(LENGTH_BYTES, "big") + content


def prepared(preparation: Preparation, content: bytes) -> bytes:
    """Return the answer to one file."""
    try:
        return message(PICTURE, preparation.prepare(content, NAME).tobytes())
    except MemoryError:
        return message(MEMORY, f"{NAME} takes too much memory to decode".encode())
    except ValueError as error:
        return message(REFUSED, str(error).encode())


def confine(memory_mb: int) -> None:
    """Take away what decoding needs not: memory without end, files, a dump of the memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def work(preparation: Preparation, files: BinaryIO, answers: BinaryIO) -> None:
    """Answer file after file until there is no more."""
    answers.write(message(PICTURE, b""))
    answers.flush()
    while head := files.read(LENGTH_BYTES):
        content = files.read(int.from_bytes(head, "big"))
        answers.write(prepared(preparation, content))
        answers.flush()


def main(folder: Path, memory_mb: int) -> None:
    """Open the model's preprocessing, give up what is not needed, and work."""
    from cxr.answering import open_preparation

    # what libraries print must not come among the answers
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    preparation = open_preparation(folder)
    confine(memory_mb)
    work(preparation, sys.stdin.buffer, answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
