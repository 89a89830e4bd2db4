"""Patience: what the store left unanswered is asked again, on the clock, and not for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest

from vault.errors import ObjectMissing, StoreUnreachable
from vault.limits import STORE_CALL_RETRIES
from vault.store.memory import MemoryStore
from vault.store.retrying import Retrying
from vault.testing.clock import ManualClock
from vault.testing.faults import Faults, FaultyStore


def faulty(faults: Faults, seed: int = 1) -> tuple[Retrying, FaultyStore, MemoryStore, ManualClock]:
    """A patient store over one that fails."""
    clock = ManualClock()
    memory = MemoryStore(clock)
    bad = FaultyStore(memory, clock, faults, seed=seed)
    return Retrying(bad, clock), bad, memory, clock


def test_a_short_outage_is_waited_out_on_the_clock() -> None:
    store, bad, _, clock = faulty(Faults(outage_at=0, outage=3))
    began = clock.now()
    store.put("a", b"data", clock.now() + timedelta(days=1))
    assert store.get("a") == b"data"
    assert bad.failed == 3
    assert timedelta(seconds=1) < clock.now() - began < timedelta(seconds=30)


def test_a_long_outage_is_told_after_the_last_attempt() -> None:
    store, bad, memory, clock = faulty(Faults(outage_at=0, outage=1000))
    with pytest.raises(StoreUnreachable):
        store.put("a", b"data", clock.now() + timedelta(days=1))
    assert bad.calls == STORE_CALL_RETRIES + 1
    assert list(memory.list("")) == []


def test_what_will_not_pass_is_not_repeated() -> None:
    store, bad, _, _ = faulty(Faults())
    with pytest.raises(ObjectMissing):
        store.get("nothing")
    assert bad.calls == 1


@pytest.mark.parametrize("seed", range(8))
def test_lost_answers_lose_nothing(seed: int) -> None:
    """A put whose answer was lost is put again: the version named holds the bytes and the lock."""
    store, _, _, clock = faulty(Faults(before=0.1, after=0.1, delay=0.2), seed)
    until = clock.now() + timedelta(days=30)
    for number in range(20):
        content = b"%d" % number
        receipt = store.put(f"k/{number}", content, until)
        assert store.get(f"k/{number}", version=receipt.version) == content
        held = store.extend(f"k/{number}", until + timedelta(days=1), version=receipt.version)
        assert store.retention(f"k/{number}", version=receipt.version).until == held
    clock.advance(timedelta(days=60))
    for found in list(store.list("")):
        store.delete(found.key, version=found.version)
    assert list(store.list("")) == []
    assert store.now() == clock.now()
