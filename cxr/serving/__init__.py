"""serving: an exported model behind a small web service, with a page to drop an X-ray on.

What is uploaded stays in memory and goes with the answer: no file of it is written and no line of a
log names it. On loopback anybody on this machine may ask; on another address the service does not
start without a token. Pictures are decoded in processes of their own (`decoder`), which a broken
file may take down without harm; what comes in within a few milliseconds is answered by one run of
the network (`batching`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cxr.serving.limits import Limits


def run(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    names: Sequence[str] = (),
    token_file: Path | None = None,
    demo: bool = False,
    limits: Limits | None = None,
) -> None:
    """Serve the exported model in `folder` until SIGTERM or Ctrl-C; what is in flight is answered.

    `names` are host names beside localhost by which the service may be called. The token stands in
    the first line of `token_file`, or in CXR_SERVE_TOKEN. `demo`: a model that learned from drawn
    phantoms answers all the same. Raises ValueError for a model, address, token or limit that won't do.
    """
    from cxr.serving import service

    service.run(
        folder, host=host, port=port, names=names, token_file=token_file, demo=demo,
        limits=limits or Limits(),
    )  # fmt: skip
