"""The reference store's own extras: a ceiling, other hands, bad media."""

from __future__ import annotations

from datetime import timedelta

import pytest

from vault.errors import LockRefused, ObjectMissing
from vault.store.memory import MemoryStore
from vault.testing.clock import ManualClock


def test_the_ceiling_is_the_buckets_own() -> None:
    clock = ManualClock()
    store = MemoryStore(clock, ceiling=timedelta(days=2))
    receipt = store.put("a", b"", clock.now() + timedelta(days=2))
    with pytest.raises(LockRefused):
        store.extend("a", clock.now() + timedelta(days=3), version=receipt.version)
    with pytest.raises(LockRefused):
        store.put("b", b"", clock.now() + timedelta(days=3))


def test_media_rot_and_lose() -> None:
    clock = ManualClock()
    store = MemoryStore(clock)
    store.put("a", b"good", clock.now() + timedelta(days=2))
    store.rot("a", b"baad")
    assert store.get("a") == b"baad"
    store.lose("a")
    with pytest.raises(ObjectMissing):
        store.get("a")


def test_another_hands_marker_can_be_collected_at_once() -> None:
    clock = ManualClock()
    store = MemoryStore(clock)
    receipt = store.put("a", b"x", clock.now() + timedelta(days=2))
    store.delete("a", version=store.lay_marker("a"))
    assert [found.version for found in store.list("a")] == [receipt.version]
