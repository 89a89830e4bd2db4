"""Terms of locks hold by position: nobody above can forget the floor or pass the ceiling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from vault.errors import LockRefused
from vault.store.locks import LockTerms, round_up
from vault.store.memory import MemoryStore
from vault.store.retaining import Retaining
from vault.store.retrying import Retrying
from vault.testing.clock import ManualClock

DAY = timedelta(days=1)
TERMS = LockTerms(minimum=30 * DAY, ceiling=400 * DAY)


class Counting(Retrying):
    """Counts how often it is asked for the time."""

    asked = 0

    def now(self) -> datetime:
        """See Reader."""
        self.asked += 1
        return super().now()


def test_every_object_is_born_with_the_floor() -> None:
    clock = ManualClock()
    store = Retaining(MemoryStore(clock), clock, TERMS)
    assert store.put("a", b"", clock.now() + DAY).locked_until == clock.now() + 30 * DAY
    assert store.put("b", b"", clock.now() + 31 * DAY).locked_until == clock.now() + 31 * DAY


def test_beyond_the_ceiling_is_refused_by_its_name_and_nothing_is_stored() -> None:
    clock = ManualClock()
    memory = MemoryStore(clock)
    store = Retaining(memory, clock, TERMS)
    with pytest.raises(LockRefused, match="400d"):
        store.put("a", b"", clock.now() + 401 * DAY)
    assert list(memory.list("")) == []
    receipt = store.put("a", b"", clock.now() + 400 * DAY)
    with pytest.raises(LockRefused, match="400d"):
        store.extend("a", clock.now() + 401 * DAY, version=receipt.version)
    assert memory.retention("a").until == clock.now() + 400 * DAY


def test_a_put_into_the_past_is_refused_not_raised_to_the_floor() -> None:
    clock = ManualClock()
    with pytest.raises(LockRefused):
        Retaining(MemoryStore(clock), clock, TERMS).put("a", b"", clock.now())


def test_an_extension_into_the_past_changes_nothing() -> None:
    clock = ManualClock()
    store = Retaining(MemoryStore(clock), clock, TERMS)
    receipt = store.put("a", b"", clock.now() + 50 * DAY)
    held = store.extend("a", clock.now() - DAY, version=receipt.version)
    assert held == receipt.locked_until


def test_the_stores_time_counts_not_the_hosts() -> None:
    there, here = ManualClock(), ManualClock()
    here.set_wall(there.now() + 1000 * DAY)
    store = Retaining(MemoryStore(there), here, TERMS)
    assert store.put("a", b"", there.now() + DAY).locked_until == there.now() + 30 * DAY
    with pytest.raises(LockRefused):
        store.put("b", b"", here.now())


def test_the_store_is_asked_for_the_time_once_in_ten_minutes() -> None:
    clock = ManualClock()
    counting = Counting(MemoryStore(clock), clock)
    store = Retaining(counting, clock, TERMS)
    for _ in range(5):
        store.put("a", b"", clock.now() + 50 * DAY)
    assert counting.asked == 1
    clock.advance(timedelta(minutes=11))
    assert store.put("a", b"", clock.now() + DAY).locked_until == clock.now() + 30 * DAY
    assert counting.asked == 2


def test_an_old_time_is_no_reason_to_refuse() -> None:
    """The store's clock may have been set right since it was asked."""
    there, here = ManualClock(), ManualClock()
    store = Retaining(MemoryStore(there), here, TERMS)
    store.put("a", b"", there.now() + DAY)
    there.advance(100 * DAY)
    until = there.now() + 350 * DAY
    assert store.put("b", b"", until).locked_until == until


def test_locks_are_whole_seconds_never_shorter() -> None:
    at = datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    assert round_up(at) == datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert round_up(at.replace(microsecond=0)) == at.replace(microsecond=0)
