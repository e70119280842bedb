"""What the service counted, in the text form that Prometheus reads (exposition format 0.0.4)."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Sequence

_KEPT = 1_000
QUANTILES = (0.5, 0.95, 0.99)


class Figures:
    """Requests by route and status; how long the last 1,000 predictions took."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds: deque[float] = deque(maxlen=_KEPT)

    def note(self, route: str, status: int, seconds: float, *, answered: bool) -> None:
        """Count one request; its time is kept if it `answered` for a picture."""
        self._requests[route, status] += 1
        if answered:
            self._seconds.append(seconds)

    def text(self, *, batches: int, pictures: int) -> str:
        """Return all figures, one a line."""
        lines = ["# TYPE cxr_requests_total counter"]
        lines += [
            f'cxr_requests_total{{route="{route}",status="{status}"}} {count}'
            for (route, status), count in sorted(self._requests.items())
        ]
        lines += ["# TYPE cxr_predict_seconds summary"]
        lines += [
            f'cxr_predict_seconds{{quantile="{x:g}"}} {quantile(self._seconds, x):.6f}'
            for x in QUANTILES
            if self._seconds
        ]
        lines += ["# TYPE cxr_batches_total counter", f"cxr_batches_total {batches}"]
        lines += ["# TYPE cxr_pictures_total counter", f"cxr_pictures_total {pictures}"]
        return "\n".join([*lines, ""])


def quantile(values: Sequence[float] | deque[float], share: float) -> float:
    """Return the smallest value that at least `share` of the values do not exceed; nan of none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)]
