"""Faults are seeded, and clocks stand still: what failed once fails again."""

from __future__ import annotations

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
