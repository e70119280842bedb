"""What one client, and all together, may ask of the service."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_CLIENTS = 10_000


class Busy(Exception):
    """The service has too much to do; the message says of what."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of the service; every one is a number above 0."""

    upload_mb: float = 64
    """MiB of one picture; a detector's 16-bit DICOM has 20 to 40."""
    memory_mb: float = 512
    """MiB of all uploads held at once."""
    waiting: int = 256
    """Pictures in the house at once, from the first byte to the answer."""
    upload_s: float = 30
    """Seconds that a client may take to send its picture."""
    decode_s: float = 10
    """Seconds of decoding one picture."""
    answer_s: float = 30
    """Seconds from the last byte of the upload to the answer."""
    rate_per_s: float = 20
    """Requests a client may make per second in the long run."""
    burst: int = 100
    """Requests a client may make at once."""
    decoders: int = 2
    """Processes that decode pictures."""
    decoder_mb: float = 1536
    """MiB that one decoder may take beyond what it has at its start."""
    batch: int = 32
    """Pictures that one run of the network takes at most."""
    batch_ms: float = 4
    """Milliseconds that the first picture of a batch waits for others."""

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if not value > 0:
                raise ValueError(f"the limit {name} must be above 0, not {value}")
        if self.upload_mb > self.memory_mb:
            raise ValueError(
                f"the limit upload_mb ({self.upload_mb:g}) is above memory_mb ({self.memory_mb:g}): "
                "no picture that large could be held"
            )


class Buckets:
    """A token bucket for each client: `burst` at once, `rate_per_s` in the long run."""

    def __init__(self, rate_per_s: float, burst: int) -> None:
        self.rate_per_s, self.burst = rate_per_s, burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, now_s: float) -> float:
        """Take one token; return 0, or the seconds until there is one."""
        tokens, then_s = self._left.pop(client, (float(self.burst), now_s))
        tokens = min(self.burst, tokens + (now_s - then_s) * self.rate_per_s)
        wait_s = 0.0 if tokens >= 1 else (1 - tokens) / self.rate_per_s
        self._left[client] = (tokens if wait_s else tokens - 1, now_s)
        if len(self._left) > _CLIENTS:  # whoever asked longest ago: its bucket is the fullest
            self._left.popitem(last=False)
        return wait_s


def client_of(address: str) -> str:
    """Return whom an address counts as: of IPv6 its network, since one client has 2**64 addresses."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address  # of a Unix socket, or none
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, 64), strict=False).network_address)


class House:
    """How many pictures, and how many bytes of them, are held at once."""

    def __init__(self, limits: Limits) -> None:
        self._most, self._most_bytes = limits.waiting, int(limits.memory_mb * 2**20)
        self.pictures = 0
        self.held_bytes = 0

    @contextmanager
    def guest(self) -> Iterator[Guest]:
        """Let one picture in; raise Busy where there is no place."""
        if self.pictures >= self._most:
            raise Busy(f"{self.pictures} pictures are waiting")
        guest = Guest(self)
        self.pictures += 1
        try:
            yield guest
        finally:
            self.pictures -= 1
            guest.drop()

    def hold(self, count: int) -> None:
        if self.held_bytes + count > self._most_bytes:
            raise Busy(f"uploads of {self.held_bytes >> 20} MiB are held")
        self.held_bytes += count


class Guest:
    """One picture's share of the memory."""

    def __init__(self, house: House) -> None:
        self._house, self._bytes = house, 0

    def hold(self, count: int) -> None:
        """Count bytes more; raise Busy where there is no room for them."""
        self._house.hold(count)
        self._bytes += count

    def drop(self) -> None:
        """Give all of it back."""
        self._house.held_bytes -= self._bytes
        self._bytes = 0
