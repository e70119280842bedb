"""Buckets fill at their rate, memory is given back, and a limit that is none is refused."""

from __future__ import annotations

import pytest

from cxr.serving.limits import Buckets, Busy, House, Limits, client_of


def test_a_client_may_ask_in_a_burst_and_then_at_the_rate() -> None:
    buckets = Buckets(rate_per_s=2, burst=3)
    assert [buckets.take("a", 0.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take("b", 0.0) == 0, "another client has a bucket of its own"
    assert buckets.take("a", 0.25) == 0.25
    assert [buckets.take("a", 0.75), buckets.take("a", 0.75)] == [0, pytest.approx(0.25)]
    assert [buckets.take("a", 1000.0) for _ in range(4)] == [0, 0, 0, 0.5], "no more than a burst"


def test_buckets_of_clients_without_number_do_not_grow_for_ever() -> None:
    buckets = Buckets(rate_per_s=1, burst=1)
    for i in range(12_000):
        buckets.take(str(i), 0.0)
    assert len(buckets._left) == 10_000
    assert buckets.take("11999", 0.0) == 1, "who asked last is remembered"


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
    ],
)
def test_a_network_of_ipv6_is_one_client(address: str, client: str) -> None:
    assert client_of(address) == client


def test_a_house_gives_back_what_a_guest_held() -> None:
    house = House(Limits(upload_mb=1, memory_mb=1, waiting=2))
    with house.guest() as one, house.guest() as other:
        one.hold(2**20 - 10)
        with pytest.raises(Busy, match="uploads of 0 MiB are held"):
            other.hold(11)
        with pytest.raises(Busy, match="2 pictures are waiting"), house.guest():
            pass
        one.drop()
        other.hold(2**20)
    assert (house.pictures, house.held_bytes) == (0, 0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"batch": 0}, "the limit batch must be above 0, not 0"),
        ({"rate_per_s": float("nan")}, "the limit rate_per_s must be above 0, not nan"),
        ({"upload_mb": 600}, r"upload_mb \(600\) is above memory_mb \(512\)"),
    ],
)
def test_a_limit_that_is_none_is_refused(given: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Limits(**given)  # type: ignore[arg-type]
