"""DVC remotes of three kinds on this machine: a folder, an S3 server, and sshd, which can be killed and started again."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from xml.etree import ElementTree

import pytest

SSHD = "/usr/sbin/sshd"
_S3 = "{http://s3.amazonaws.com/doc/2006-03-01/}"
_WAIT_S = 60.0
# moto refuses strangers what somebody wrote, and looks no further
_KNOWN = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=throwaway/20260101/us-east-1/s3/aws4_request"
}


class Folder:
    """A folder, `storage` beside the clone: nothing to start."""

    def __init__(self, place: Path) -> None:
        self.storage = place / "storage"
        self.environment: dict[str, str] = {}

    def config(self) -> str:
        """Return what DVC's settings say of it."""
        return _section(f"url = {self.storage}")

    def download(self) -> None:
        """Bring what the remote holds into `storage`, where tests look at it."""

    def objects(self) -> int:
        """Return how many objects have arrived."""
        return sum(len(names) for _, _, names in os.walk(self.storage / "files"))


class Server(Folder):
    """A program that listens on a port, of loopback unless told otherwise, and dies with all that it started."""

    def __init__(self, place: Path, host: str = "127.0.0.1") -> None:
        super().__init__(place)
        self.host = host
        self.place = place / "server"
        self.place.mkdir()
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """Return the program's words."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the program and wait until it answers."""
        with (self.place / "log").open("wb") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _WAIT_S
        while not answers(self.port, self.host):
            assert self.process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill the program and all that it started, sessions of its own too, by their numbers."""
        import psutil

        assert self.process is not None
        below = psutil.Process(self.process.pid).children(recursive=True)
        for process in below:
            process.kill()
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def log(self) -> str:
        """Return what the program said."""
        return (self.place / "log").read_text(errors="replace")


class S3(Server):
    """moto's server: a whole S3 in memory, which forgets everything when it dies."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        nothing = self.place / "no settings of a person"
        nothing.touch()
        self.environment = {
            "AWS_ACCESS_KEY_ID": "throwaway", "AWS_SECRET_ACCESS_KEY": "throwaway",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "2",
            "AWS_CONFIG_FILE": str(nothing), "AWS_SHARED_CREDENTIALS_FILE": str(nothing),
        }  # fmt: skip

    def config(self) -> str:
        return _section("url = s3://bucket/cxr", f"endpointurl = {self.url}")

    @property
    def url(self) -> str:
        """Return the address."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        program = Path(sys.executable).with_name("moto_server")
        return [str(program), "-H", "127.0.0.1", "-p", str(self.port)]

    def start(self) -> None:
        super().start()
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/bucket", method="PUT")).close()

    def objects(self) -> int:
        return self.log().count("PUT /bucket/cxr/files")

    def download(self) -> None:
        shutil.rmtree(self.storage, ignore_errors=True)
        for key in self.keys():
            target = self.storage / key.removeprefix("cxr/")
            target.parent.mkdir(parents=True, exist_ok=True)
            known = urllib.request.Request(f"{self.url}/bucket/{key}", headers=_KNOWN)
            with urllib.request.urlopen(known) as answer:
                target.write_bytes(answer.read())

    def keys(self) -> list[str]:
        """Return the names of all objects."""
        found: list[str] = []
        after = ""
        while True:
            with urllib.request.urlopen(
                f"{self.url}/bucket?list-type=2&start-after={after}"
            ) as answer:
                tree = ElementTree.fromstring(answer.read())
            found += [each.text or "" for each in tree.iter(f"{_S3}Key")]
            if tree.findtext(f"{_S3}IsTruncated") != "true":
                return found
            after = found[-1]


class SSH(Server):
    """Debian's sshd with keys made for it alone."""

    def __init__(self, place: Path, host: str = "127.0.0.1") -> None:
        super().__init__(place, host)
        for name in ("host", "mine"):
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.place / name)]
            subprocess.run(words, check=True, capture_output=True)

    def config(self) -> str:
        url = f"ssh://{getpass.getuser()}@{self.host}:{self.port}{self.storage}"
        return _section(f"url = {url}", f"keyfile = {self.place / 'mine'}")

    def command(self) -> list[str]:
        settings = {
            "Port": self.port, "ListenAddress": self.host, "HostKey": self.place / "host",
            "AuthorizedKeysFile": self.place / "mine.pub", "PidFile": self.place / "pid",
            "StrictModes": "no", "UsePAM": "no", "PasswordAuthentication": "no",
            "MaxStartups": 100, "MaxSessions": 100, "Subsystem": "sftp internal-sftp",
        }  # fmt: skip
        (self.place / "config").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))  # fmt: skip
        return [SSHD, "-D", "-e", "-f", str(self.place / "config")]

    def download(self) -> None:
        """Put away what a killed upload left beside the objects: DVC renames what is whole."""
        for path in sorted(self.storage.rglob(".*.tmp")):
            path.unlink()


def need_sshd() -> None:
    """Skip, and say how not to, where sshd is missing or can't start."""
    if not Path(SSHD).exists() or not shutil.which("ssh-keygen"):
        pytest.skip(f"{SSHD} is missing: apt-get install openssh-server")
    apart = Path("/run/sshd")  # sshd of root wants it, and only systemd makes it
    if os.getuid() == 0 and not apart.is_dir():
        try:
            apart.mkdir(mode=0o755)
        except OSError as error:
            pytest.skip(f"{apart} is missing and can't be made: {error}")


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether somebody listens."""
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex((host, port)) == 0


def _section(*lines: str) -> str:
    settings = "".join(f"    {line}\n" for line in lines)
    return f"[core]\n    remote = storage\n['remote \"storage\"']\n{settings}"
