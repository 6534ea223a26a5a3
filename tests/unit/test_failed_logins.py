"""Guessed keys: refusals count per address and minute, in bounded memory."""

import pytest

from notistream.access import failed_logins
from notistream.access.failed_logins import FailedLogins
from notistream.errors import TooManyRequests


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def locked_out(found: FailedLogins, peer: str | None) -> int | None:
    """Seconds to wait, or None."""
    try:
        found.count(peer)
    except TooManyRequests as exc:
        return exc.retry_after_s
    return None


def test_more_than_are_allowed_in_a_minute_have_to_wait() -> None:
    clock = Clock()
    found = FailedLogins(allowed=3, clock=clock)
    assert [locked_out(found, "192.0.2.1") for _ in range(4)] == [None, None, None, 60]
    assert locked_out(found, "192.0.2.2") is None
    clock.now = 59.5
    assert locked_out(found, "192.0.2.1") == 1
    clock.now = 60.0
    assert locked_out(found, "192.0.2.1") is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "unix", False),
        (None, "", True),
    ],
)
def test_who_counts_as_one(one: str | None, other: str | None, same: bool) -> None:
    found = FailedLogins(allowed=1)
    assert locked_out(found, one) is None
    assert (locked_out(found, other) is not None) == same


def test_many_addresses_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_logins, "ADDRESSES", 50)
    found = FailedLogins(allowed=1)
    for number in range(1000):
        locked_out(found, f"192.0.{number // 250}.{number % 250}")
        assert len(found._refused) <= 50
