"""Faults are seeded, and clocks stand still: what failed once fails again."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest

from vault.errors import StoreUnreachable
from vault.store.memory import MemoryStore
from vault.testing.clock import ManualClock
from vault.testing.faults import Faults, FaultyStore


def outcomes(seed: int) -> list[bool]:
    """Which of a hundred calls went through."""
    clock = ManualClock()
    store = FaultyStore(MemoryStore(clock), clock, Faults(before=0.3, after=0.1), seed=seed)
    gone = []
    for _ in range(100):
        try:
            store.now()
        except StoreUnreachable:
            gone.append(False)
        else:
            gone.append(True)
    return gone


def test_the_same_seed_fails_in_the_same_places() -> None:
    assert outcomes(7) == outcomes(7)
    assert outcomes(7) != outcomes(8)
    assert 20 < outcomes(7).count(False) < 60


def test_what_happened_is_counted() -> None:
    """Each kind by its name; a call that failed before has no answer to lose."""
    clock, counts = ManualClock(), Counter[str]()
    faults = Faults(before=0.3, after=0.3, delay=0.3, outage_at=10, outage=5)
    store = FaultyStore(MemoryStore(clock), clock, faults, seed=3, counts=counts)
    for _ in range(100):
        with suppress(StoreUnreachable):
            store.now()
    assert counts.pop("answers delayed") > 10
    assert counts["calls in an outage"] == 5
    assert min(counts["calls failed"], counts["answers lost"]) > 10
    assert counts.total() == store.failed < store.calls == 100


def test_a_lost_answer_has_had_its_effect() -> None:
    clock = ManualClock()
    memory = MemoryStore(clock)
    store = FaultyStore(memory, clock, Faults(after=1.0), seed=1)
    with pytest.raises(StoreUnreachable, match="seed 1"):
        store.put("a", b"", clock.now() + timedelta(days=1))
    assert [found.key for found in memory.list("")] == ["a"]


def test_a_stale_listing_lacks_the_last_put_alone() -> None:
    clock = ManualClock()
    store = FaultyStore(MemoryStore(clock), clock, Faults(stale=1.0), seed=1)
    store.put("a", b"", clock.now() + timedelta(days=1))
    store.put("b", b"", clock.now() + timedelta(days=1))
    assert [found.key for found in store.list("")] == ["a"]
    assert store.counts["stale listings"] == 1
    assert list(store.list("c")) == []
    assert store.counts["stale listings"] == 1


def test_a_manual_clock_moves_only_by_hand() -> None:
    clock = ManualClock()
    before, boot = clock.now(), clock.boot_time()
    clock.sleep(90)
    assert clock.now() - before == timedelta(seconds=90)
    assert clock.boot_time().seconds - boot.seconds == 90
    clock.set_wall(before)
    assert clock.boot_time().seconds - boot.seconds == 90
    clock.reboot("boot-2", off=timedelta(hours=1))
    assert (clock.boot_time().boot, clock.boot_time().seconds) == ("boot-2", 0.0)
    assert clock.now() - before == timedelta(hours=1)
