"""engine: one run of a flow, as a worker starts it: waits for a server that is being restarted, then Prefect's own.

A client of Prefect's asks again when a server goes away that it has spoken to, and gives up at once before
that: a run that a worker begins in that moment would be lost, and one that makes another client in it, as
a run does several times. `prefect.yaml` names us in the place of its engine.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import time
import urllib.error
import urllib.request

_LONG_S = 600.0
_LOOK_S = 0.5


def main() -> None:
    """Wait for the server that PREFECT_API_URL names, then run what PREFECT__FLOW_RUN_ID names."""
    import prefect.flow_engine  # noqa: F401 - seconds, in which the server must not be gone again

    wait(f"{os.environ['PREFECT_API_URL']}/health")
    ask_again()
    runpy.run_module("prefect.engine", run_name="__main__")


def ask_again() -> None:
    """Let every client of this process ask again where nobody listens, one that is new as well.

    Prefect has no setting for it. What it goes by is no public name: test_engine.py holds it.
    """
    from prefect.client import base

    for client in (base.PrefectHttpxAsyncClient, base.PrefectHttpxSyncClient):
        client._has_connected = property(lambda _: True, lambda *_: None)  # type: ignore[assignment]


def wait(address: str, *, seconds: float = _LONG_S) -> None:
    """Return when somebody answers there, or after that time: Prefect then says what is wrong."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=10):  # noqa: S310 - our own address
                return
        except urllib.error.HTTPError as error:
            with contextlib.closing(error):
                if error.code != 503:  # so says a server that is busy with its start
                    return
        except OSError:
            pass
        time.sleep(_LOOK_S)


if __name__ == "__main__":
    main()
