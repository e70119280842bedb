"""A real, headless Chromium that tests drive: open, drop, press keys, run JavaScript, take a picture.

It is spoken to over two pipes (`--remote-debugging-pipe`, messages of JSON that end in a zero byte):
no port that others could find, no package. Source: the Chrome DevTools Protocol, "tot" version.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

WAIT_S = 60
_WORDS = (
    *("--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--hide-scrollbars"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-extensions", "--disable-dev-shm-usage", "--mute-audio"),
    "--force-device-scale-factor=1",
)
_KEYS = {"Tab": 9, "Enter": 13, "Space": 32, "ArrowDown": 40}
_TEXTS = {"Enter": "\r", "Space": " "}


class Page:
    """One tab, and what it asked for and complained of."""

    def __init__(self, to_fd: int, from_fd: int) -> None:
        self._to, self._from, self._buffer = to_fd, from_fd, b""
        self._count = 0
        self._session = ""
        self.requests: list[str] = []
        self.complaints: list[str] = []
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        attached = self.tell("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility"):
            self.tell(f"{domain}.enable")

    def tell(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give an order; return its result."""
        self._count += 1
        order = {"id": self._count, "method": method, "params": parameters}
        order |= {"sessionId": self._session} if self._session else {}
        os.write(self._to, json.dumps(order).encode() + b"\0")
        while True:
            heard = self._next()
            if heard.get("id") == self._count:
                assert "error" not in heard, f"{method}: {heard['error']}"
                return heard["result"]
            self._note(heard)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], WAIT_S)
            assert ready, f"Chromium says nothing for {WAIT_S} s"
            piece = os.read(self._from, 2**20)
            assert piece, "Chromium has ended"
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(line)

    def _note(self, heard: dict[str, Any]) -> None:
        said = heard.get("params", {})
        if heard["method"] == "Network.requestWillBeSent":
            address = said["request"]["url"]
            self.requests += [] if address.startswith("data:") else [address]
        if heard["method"] == "Log.entryAdded":
            self.complaints.append(said["entry"]["text"])
        if heard["method"] == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(said["exceptionDetails"]))

    def look(self, width: int, height: int, *, dark: bool = False, touch: bool = False) -> None:
        """Set the size of the window in px, the palette, and whether it is a finger's."""
        self.tell(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=touch,
        )  # fmt: skip
        self.tell("Emulation.setTouchEmulationEnabled", enabled=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.tell("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, address: str) -> None:
        self.tell("Page.navigate", url=address)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        found = self.tell(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + WAIT_S
        while not self.run(script):
            assert time.monotonic() < deadline, f"not so after {WAIT_S} s: {script}"
            time.sleep(0.05)

    def drop(self, selector: str, *files: Path) -> None:
        """Drop files in the middle of an element."""
        x, y = self.middle(selector)
        names = [str(file) for file in files]
        data = {"items": [], "files": names, "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.tell("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def choose(self, selector: str, file: Path) -> None:
        """Choose a file in a file input, as its dialogue would."""
        found = self.tell("Runtime.evaluate", expression=f"document.querySelector('{selector}')")
        self.tell("DOM.setFileInputFiles", files=[str(file)], objectId=found["result"]["objectId"])

    def click(self, selector: str) -> None:
        x, y = self.middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.tell("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def middle(self, selector: str) -> tuple[float, float]:
        """Scroll an element into view; return the place of its middle in the window."""
        return tuple(
            self.run(
                f"(() => {{ const node = document.querySelector('{selector}');"
                "node.scrollIntoView({block: 'center', behavior: 'instant'});"
                "const box = node.getBoundingClientRect();"
                "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
            )
        )

    def press(self, key: str) -> None:
        """Press Tab, Enter, Space or ArrowDown."""
        code = {"windowsVirtualKeyCode": _KEYS[key], "code": key, "key": _TEXTS.get(key, key)}
        code["key"] = key if key != "Space" else " "
        text = {"text": _TEXTS[key]} if key in _TEXTS else {}
        self.tell("Input.dispatchKeyEvent", type="keyDown", **code, **text)
        self.tell("Input.dispatchKeyEvent", type="keyUp", **code)

    def write(self, text: str) -> None:
        """Type into what has the focus."""
        self.tell("Input.insertText", text=text)

    def spoken(self) -> list[tuple[str, str]]:
        """Return role and name of all that a screen reader finds, in order."""
        nodes = self.tell("Accessibility.getFullAXTree")["nodes"]
        told = [node for node in nodes if not node.get("ignored")]
        return [
            (node["role"]["value"], str(node.get("name", {}).get("value", ""))) for node in told
        ]

    def shot(self, path: Path) -> Path:
        """Write a picture (PNG) of the whole page."""
        found = self.tell("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))
        return path


@contextlib.contextmanager
def page() -> Iterator[Page]:
    """Yield a tab of a new browser without a past; skip loudly where there is no Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        pytest.skip("NOT TESTED: no chromium here (Debian: apt-get install chromium)")
    to_it, from_it = os.pipe(), os.pipe()
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (to_it[0], from_it[1])]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        process = subprocess.Popen(
            [program, *_WORDS, *(["--no-sandbox"] if os.getuid() == 0 else []), f"--user-data-dir={home}"],
            pass_fds=(3, 4),
            # it reads orders from 3 and writes answers to 4
            preexec_fn=lambda: [os.dup2(fd, place) for fd, place in zip(high, (3, 4), strict=True)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        for fd in (*high, to_it[0], from_it[1]):
            os.close(fd)
        try:
            yield Page(to_it[1], from_it[0])
        finally:
            os.close(to_it[1])
            try:  # it ends when nobody speaks to it
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()
            os.close(from_it[0])
