"""Schedules: when they strike, and what is no schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.errors import UsageError
from vault.lifecycle.schedule import next_after


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "at", "strike"),
    [
        ("* * * * *", "2026-04-24T09:00:00", "2026-04-24T09:01:00"),
        ("* * * * *", "2026-04-24T09:00:59.999999", "2026-04-24T09:01:00"),
        ("@hourly", "2026-04-24T09:00:00", "2026-04-24T10:00:00"),
        ("@hourly", "2026-04-24T08:59:59", "2026-04-24T09:00:00"),
        ("@Daily", "2026-04-24T09:00:00", "2026-04-25T00:00:00"),
        ("@weekly", "2026-04-24T09:00:00", "2026-04-26T00:00:00"),
        ("@monthly", "2026-12-24T09:00:00", "2027-01-01T00:00:00"),
        ("@yearly", "2026-04-24T09:00:00", "2027-01-01T00:00:00"),
        ("*/20 * * * *", "2026-04-24T09:40:00", "2026-04-24T10:00:00"),
        ("5/20 * * * *", "2026-04-24T09:25:00", "2026-04-24T09:45:00"),
        ("5 4-6,22 * * *", "2026-04-24T06:05:00", "2026-04-24T22:05:00"),
        ("0 2 * * mon-fri", "2026-04-24T09:00:00", "2026-04-27T02:00:00"),
        ("0 2 * * 7", "2026-04-24T09:00:00", "2026-04-26T02:00:00"),
        ("0 2 * * 5-7", "2026-04-24T09:00:00", "2026-04-25T02:00:00"),
        ("0 0 * Feb,MAR *", "2026-04-24T09:00:00", "2027-02-01T00:00:00"),
        ("0 0 29 2 *", "2026-04-24T09:00:00", "2028-02-29T00:00:00"),
        ("0 0 29 2 *", "2096-04-24T09:00:00", "2104-02-29T00:00:00"),
        ("0 0 31 * *", "2026-04-24T09:00:00", "2026-05-31T00:00:00"),
        ("0 0 13 * fri", "2026-04-24T09:00:00", "2026-05-01T00:00:00"),  # either day is enough
        ("0 0 13 * *", "2026-04-24T09:00:00", "2026-05-13T00:00:00"),
        ("every 15m", "2026-04-24T09:15:00", "2026-04-24T09:30:00"),
        ("every 15m", "2026-04-24T09:29:59", "2026-04-24T09:30:00"),
        ("every  1d", "2026-04-24T09:00:00", "2026-04-25T00:00:00"),
        ("every 1h30m", "1970-01-01T01:00:00", "1970-01-01T01:30:00"),
    ],
)
def test_strikes(schedule: str, at: str, strike: str) -> None:
    assert next_after(schedule, utc(at)) == utc(strike)


@pytest.mark.parametrize(
    "schedule",
    [
        *("", "daily", "@noon", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *"),
        *("* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "5-1 * * * *"),
        *("x * * * *", "1,,2 * * * *", "-1 * * * *", "٣ * * * *", "mon * * * *"),
        *("every", "every 30s", "every day", "every 0m", "0 0 30 2 *"),
    ],
)
def test_what_is_no_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(UsageError):
        next_after(schedule, utc("2026-04-24T09:00:00"))


moments = st.datetimes(timezones=st.just(UTC)).filter(lambda at: 1970 <= at.year <= 2100)
SCHEDULES = ("@hourly", "@weekly", "7 */3 * * *", "0 0 1,15 * mon", "every 15m", "every 7h")


@given(st.sampled_from(SCHEDULES), moments)
def test_strikes_are_later_in_order_and_none_is_missed(schedule: str, at: datetime) -> None:
    strike = next_after(schedule, at)
    assert strike > at
    assert strike.utcoffset() == timedelta(0)
    assert next_after(schedule, strike - timedelta(microseconds=1)) == strike
    assert next_after(schedule, strike) > strike


@given(moments)
def test_only_utc_counts(at: datetime) -> None:
    """A zone that goes to summer time moves nothing: every hour strikes once."""
    elsewhere = at.astimezone(timezone(timedelta(hours=2)))
    assert next_after("@hourly", elsewhere) == next_after("@hourly", at)
    assert next_after("@hourly", at) - at <= timedelta(hours=1)
