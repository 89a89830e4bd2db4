"""Ids are ULIDs: what others wrote is read, what is made is what others read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from vault.ids import id_time, is_id, new_id, next_id

AT = datetime(2016, 7, 30, 22, 36, 16, 385_000, tzinfo=UTC)
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_the_example_of_the_specification_is_read() -> None:
    """`01ARYZ6S41…` was made in the millisecond 1469918176385."""
    assert id_time("evt_01aryz6s41" + "t" * 16) == AT


@pytest.mark.parametrize("at", [FIRST, AT, LAST])
def test_an_id_tells_when_it_was_made(at: datetime) -> None:
    """Its first ten characters are the time, the others are another each time."""
    first, second = new_id("evt", at), new_id("evt", at)
    assert id_time(first) == id_time(second) == at
    assert is_id(first, "evt")
    assert first[:14] == second[:14]
    assert first[14:] != second[14:]


def test_ids_sort_by_time() -> None:
    """By the millisecond."""
    made = [new_id("evt", AT + timedelta(milliseconds=n)) for n in range(100)]
    assert made == sorted(made)


def test_where_the_clock_stands_still_the_next_id_is_later() -> None:
    """By a millisecond."""
    first = new_id("evt", AT)
    assert id_time(next_id("evt", AT, after=first)) == AT + timedelta(milliseconds=1)
