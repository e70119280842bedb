"""onnxruntime, imported in one place, so that it tells nobody of itself.

Its wheels count their use: at import it would write a number for this machine into the user's cache
folder and a file into the temporary one, and send what it counts to its maker. Its own call to stop
that comes too late, a variable before the import does not.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["onnxruntime"]
